/** What a guest is made of on disk: its overlay, its seed, its record, its console log. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DriverError, type GuestSpec } from '../driver.ts';
import { imageInfo } from './disk.ts';
import type { GuestFolder } from './folder.ts';
import { writeRecord } from './record.ts';

const run = promisify(execFile);

const GIB = 1024 ** 3;

/**
 * A disk that is cut off where the image goes on would boot, and break later.
 * @throws {DriverError} `failed` when the guest is smaller than its image takes
 */
export async function checkFit({ image, memoryMiB, storageGiB }: GuestSpec): Promise<void> {
  if (memoryMiB < image.minMemoryMiB) {
    throw new DriverError('failed', `${image.id} needs ${image.minMemoryMiB} MiB of memory.`);
  }
  const { bytes } = await imageInfo(image.disk);
  if (storageGiB * GIB < bytes) {
    throw new DriverError('failed', `${image.id} needs ${Math.ceil(bytes / GIB)} GiB of storage.`);
  }
}

/**
 * Everything of a guest that is on disk, made before its user can touch any of it. The record comes last:
 * with it the guest is whole.
 * @param reserve gives the disk all of its room at once
 */
export async function writeGuest(
  folder: GuestFolder,
  spec: GuestSpec,
  seed: Buffer,
  reserve = false,
): Promise<void> {
  await createOverlay(folder, spec, reserve);
  await writeFile(folder.seed, seed, { mode: 0o600 });
  await writeRecord(folder, {
    cpus: spec.cpus,
    memoryMiB: spec.memoryMiB,
    storageGiB: spec.storageGiB,
    minMemoryMiB: spec.image.minMemoryMiB,
    image: spec.image.disk,
    reserved: reserve,
    hostKey: spec.hostKey,
    ...(spec.image.readyMarker === undefined ? {} : { readyMarker: spec.image.readyMarker }),
    ...(spec.image.kernel === undefined ? {} : { kernel: spec.image.kernel }),
  });
}

async function createOverlay(
  folder: GuestFolder,
  spec: GuestSpec,
  reserve: boolean,
): Promise<void> {
  const size = `${spec.storageGiB}G`;
  await run('qemu-img', [
    ...['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', spec.image.disk],
    // Without the finer map, clusters that have their room would hide what the image has in them.
    ...(reserve ? ['-o', 'preallocation=falloc,extended_l2=on'] : []),
    ...[folder.disk, size],
  ]).catch((cause: unknown) => {
    throw new DriverError('failed', 'The disk of the guest could not be made.', { cause });
  });
}
