/** Tests that run inside workerd: the whole worker, through its door. */
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** @param settings beside those of wrangler.toml */
export function workerTests(name: string, include: string[], settings: Record<string, string>) {
  return defineConfig({
    plugins: [
      cloudflareTest(async () => ({
        wrangler: { configPath: join(import.meta.dirname, '..', 'wrangler.toml') },
        miniflare: {
          bindings: {
            MIGRATIONS: await readD1Migrations(join(import.meta.dirname, 'migrations')),
            ...settings,
          },
        },
      })),
    ],
    test: {
      ...{ name, include, root: import.meta.dirname },
      setupFiles: ['test/setup.ts'],
    },
  });
}

export default workerTests('discovery-worker', ['test/**/*.test.ts'], {});
