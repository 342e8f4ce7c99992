/** Tests that run inside workerd: the whole worker, through its door. */
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: join(import.meta.dirname, '..', 'wrangler.toml') },
      miniflare: {
        bindings: {
          MIGRATIONS: await readD1Migrations(join(import.meta.dirname, 'migrations')),
        },
      },
    })),
  ],
  test: {
    name: 'discovery-worker',
    root: import.meta.dirname,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
  },
});
