/** Writing what a guest is made of: its disk, its seed, its console log. */
import { execFile } from 'node:child_process';
import { stat, truncate, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DriverError, type GuestSpec } from '../driver.ts';
import { tail, writeRecord, type GuestFolder } from './folder.ts';

const run = promisify(execFile);

/** A guest writes to its console what it likes; the file is cut when it is larger than this. */
const CONSOLE_BYTES = 1024 * 1024;

/** Everything of a guest that is on disk. The record comes last: with it the guest is whole. */
export async function writeGuest(
  folder: GuestFolder,
  spec: GuestSpec,
  seed: Buffer,
): Promise<void> {
  await createOverlay(folder, spec);
  await writeFile(folder.seed, seed, { mode: 0o600 });
  await writeRecord(folder, {
    cpus: spec.cpus,
    memoryMiB: spec.memoryMiB,
    hostKey: spec.hostKey,
    ...(spec.image.readyMarker === undefined ? {} : { readyMarker: spec.image.readyMarker }),
    ...(spec.image.kernel === undefined ? {} : { kernel: spec.image.kernel }),
  });
}

/** Cuts the console's log to its end when it has grown too large. */
export async function boundConsole({ console }: GuestFolder): Promise<void> {
  const size = await stat(console).then(
    (info) => info.size,
    () => 0,
  );
  if (size <= CONSOLE_BYTES) return;
  // QEMU appends, so it goes on at the new end of the file.
  await writeFile(`${console}.previous`, await tail(console, CONSOLE_BYTES / 4));
  await truncate(console, 0);
}

async function createOverlay(folder: GuestFolder, spec: GuestSpec): Promise<void> {
  const size = `${spec.storageGiB}G`;
  await run('qemu-img', [
    ...['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', spec.image.disk, folder.disk, size],
  ]).catch((cause: unknown) => {
    throw new DriverError('failed', 'The disk of the guest could not be made.', { cause });
  });
}
