/**
 * Warm starts for tests: a guest that was stopped in the middle of its boot, before it read a
 * disk, and saved as a migration file. Every guest restored from it shares the state of its random
 * number generator, so a template is never for a guest that somebody rents.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError } from '../driver.ts';
import { tail, type GuestFolder } from './folder.ts';
import type { Qmp } from './qmp.ts';

/** On the kernel's command line, it makes the image's initrd wait for a seed. */
export const TEMPLATE_ARGUMENT = 'golem.template';
const TEMPLATE_MARKER = 'golem-guest: template';
const BOOT_MILLIS = 60_000;
const SAVE_MILLIS = 30_000;

/** All that a saved state depends on; a guest that differs in any of it cannot be restored from it. */
export interface TemplateKey {
  readonly qemuVersion: string;
  readonly image: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly storageGiB: number;
  readonly seedBytes: number;
}

export interface TemplateBuilder {
  /** Makes disk and record of a guest in `folder`, with `seed` as its seed disk. */
  readonly prepare: (folder: string, seed: Buffer) => Promise<GuestFolder>;
  /** Starts it outside the sandbox, which forbids QEMU the `cat` that saves the state. */
  readonly start: (folder: GuestFolder) => Promise<Qmp>;
}

/** @returns the path of the saved state, made first if there is none yet */
export async function ensureTemplate(
  dir: string,
  key: TemplateKey,
  builder: TemplateBuilder,
): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const name = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 16);
  const path = join(dir, `${name}.state`);
  if (await exists(path)) return path;

  const scratch = await mkdtemp(join(dir, 'build-'));
  try {
    const folder = await builder.prepare(scratch, Buffer.alloc(key.seedBytes));
    using qmp = await builder.start(folder);
    await until(BOOT_MILLIS, async () =>
      (await tail(folder.console, 4096)).includes(TEMPLATE_MARKER),
    );
    const state = join(scratch, 'state');
    await writeFile(state, '');
    await qmp.execute('migrate', { uri: `exec:cat > '${state}'` });
    await until(SAVE_MILLIS, async () => {
      const { status } = (await qmp.execute('query-migrate')) as { status?: string };
      if (status === 'failed') throw new DriverError('failed', 'The template could not be saved.');
      return status === 'completed';
    });
    await qmp.execute('quit');
    await qmp.closed;
    await rename(state, path);
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function until(millis: number, condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + millis; !(await condition()); await sleep(25)) {
    if (Date.now() > deadline) throw new DriverError('timeout', 'The template did not get ready.');
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
