/**
 * Warm starts for tests: a guest that was stopped in the middle of its boot, before it read a
 * disk, and saved as a migration file. Every guest restored from it shares the state of its random
 * number generator, so a template is never for a guest that somebody rents.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError, type Accelerator, type GuestImage, type GuestSpec } from '../driver.ts';
import { qemuArguments } from './command.ts';
import { createGuestFolder, guestFolder, tail } from './folder.ts';
import { writeGuest } from './guest.ts';
import type { Connection } from './network/network.ts';
import { killQemu, startQemu } from './process.ts';
import type { Qmp } from './qmp.ts';
import { readRecord, type GuestRecord } from './record.ts';

/** On the kernel's command line, it makes the image's initrd wait for a seed. */
const TEMPLATE_ARGUMENT = 'golem.template';
const TEMPLATE_MARKER = 'golem-guest: template';
const BOOT_MILLIS = 60_000;
const SAVE_MILLIS = 30_000;

export interface TemplateOptions {
  readonly program: string;
  readonly version: string;
  readonly accelerator: Exclude<Accelerator, 'none'>;
  readonly connection: Connection;
  /** Of the guest that is to be restored; it must be the same for all of them. */
  readonly seedBytes: number;
}

/**
 * @returns the path of a saved state that a guest of `spec` can be restored from, which is made
 * first if there is none yet; undefined when its image cannot wait for a seed
 */
export async function ensureTemplate(
  dir: string,
  spec: GuestSpec,
  options: TemplateOptions,
): Promise<string | undefined> {
  const { kernel } = spec.image;
  if (!kernel) return undefined;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `${await templateName(kernel, spec, options)}.state`);
  const made = await stat(path).catch(() => undefined);
  if (!made) await makeTemplate(dir, path, spec, options);
  return path;
}

/** A guest that is restored must be given the command line of its template, word for word. */
export function templateRecord(record: GuestRecord): GuestRecord {
  if (!record.kernel) return record;
  const append = `${record.kernel.append} ${TEMPLATE_ARGUMENT}`;
  return { ...record, kernel: { ...record.kernel, append } };
}

/** From all that a saved state depends on; a guest that differs in it cannot be restored. */
async function templateName(
  { vmlinuz, initrd, append }: NonNullable<GuestImage['kernel']>,
  { cpus, memoryMiB, storageGiB }: GuestSpec,
  { version, accelerator, seedBytes }: TemplateOptions,
): Promise<string> {
  const changed = await Promise.all(
    [vmlinuz, initrd].map(async (file) => (await stat(file)).mtimeMs),
  );
  const kernel = { vmlinuz, initrd, append, changed };
  const key = { version, accelerator, kernel, cpus, memoryMiB, storageGiB, seedBytes };
  return createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 16);
}

async function makeTemplate(
  dir: string,
  path: string,
  spec: GuestSpec,
  { program, accelerator, connection, seedBytes }: TemplateOptions,
): Promise<void> {
  const scratch = await mkdtemp(join(dir, 'build-'));
  const folder = guestFolder(scratch, spec.vmId);
  try {
    await createGuestFolder(folder);
    await writeGuest(folder, spec, Buffer.alloc(seedBytes));
    const record = templateRecord(await readRecord(folder));
    // Outside the sandbox, which forbids QEMU the `cat` below.
    const network = connection.arguments;
    const args = qemuArguments({ folder, record, accelerator, network, sandbox: false });
    const { signal } = new AbortController();
    using qmp = await startQemu({ command: connection.wrap([program, ...args]), folder, signal });
    await until(BOOT_MILLIS, async () =>
      (await tail(folder.console, 4096)).includes(TEMPLATE_MARKER),
    );
    await save(qmp);
    await rename(join(scratch, 'state'), path);
  } finally {
    await killQemu(folder);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Next to the guest's folder, in which QEMU runs: no path is quoted for a shell. */
async function save(qmp: Qmp): Promise<void> {
  await qmp.execute('migrate', { uri: 'exec:cat > ../../state' });
  await until(SAVE_MILLIS, async () => {
    const { status } = (await qmp.execute('query-migrate')) as { status?: string };
    if (status === 'failed') throw new DriverError('failed', 'The template could not be saved.');
    return status === 'completed';
  });
  await qmp.execute('quit');
  await qmp.closed;
}

async function until(millis: number, condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + millis; !(await condition()); await sleep(25)) {
    if (Date.now() > deadline) throw new DriverError('timeout', 'The template did not get ready.');
  }
}
