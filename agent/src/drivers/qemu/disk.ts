/** The disk of a guest that does not run: its size and its snapshots, which are qcow2's own. */
import { execFile } from 'node:child_process';
import { relative } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { DriverError, type GuestSize, type GuestSnapshot } from '../driver.ts';
import { asUser } from './confinement/command.ts';
import { ownerOf, type GuestFolder } from './folder.ts';
import { readRecord, writeRecord, type GuestRecord } from './record.ts';

const run = promisify(execFile);
const GIB = 1024 ** 3;

const infoSchema = z.object({
  'virtual-size': z.number().positive(),
  snapshots: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        'date-sec': z.number(),
        'date-nsec': z.number(),
      }),
    )
    .default([]),
});

interface DiskInfo {
  /** What the guest sees. */
  readonly bytes: number;
  /** Oldest first. */
  readonly snapshots: readonly GuestSnapshot[];
}

/** Also of a guest that runs. @throws {DriverError} `failed` */
export async function diskInfo(folder: GuestFolder): Promise<DiskInfo> {
  return parseInfo(
    await onDisk(folder, ['info', '--output=json', '-U'], 'The disk cannot be read.'),
  );
}

/** Of an image, which nobody but us has written. @throws {DriverError} `failed` */
export async function imageInfo(path: string): Promise<DiskInfo> {
  const args = ['info', '--output=json', '-U', '-f', 'qcow2', path];
  return parseInfo(await qemuImg(['qemu-img', ...args], {}, 'The image cannot be read.'));
}

/** @param json what `qemu-img info` prints @throws {DriverError} `failed` */
export function parseInfo(json: string): DiskInfo {
  try {
    const info = infoSchema.parse(JSON.parse(json));
    const snapshots = info.snapshots
      .map((kept) => ({
        name: kept.name,
        createdAt: kept['date-sec'] * 1000 + Math.floor(kept['date-nsec'] / 1e6),
        id: Number(kept.id),
      }))
      .sort((a, b) => a.createdAt - b.createdAt || a.id - b.id)
      .map(({ name, createdAt }) => ({ name, createdAt }));
    return { bytes: info['virtual-size'], snapshots };
  } catch (cause) {
    throw new DriverError('failed', 'What is said of the disk makes no sense.', { cause });
  }
}

/** @throws {DriverError} `exists` | `failed` */
export async function takeSnapshot(folder: GuestFolder, name: string): Promise<void> {
  await settleDisk(folder);
  const { snapshots } = await diskInfo(folder);
  if (has(snapshots, name))
    throw new DriverError('exists', `There is a snapshot '${name}' already.`);
  await snapshotCommand(folder, '-c', name, 'The snapshot could not be taken.');
}

/**
 * A snapshot has the size that the disk had then; the disk keeps the one that it has now.
 * @throws {DriverError} `no_snapshot` | `failed`
 */
export async function restoreSnapshot(folder: GuestFolder, name: string): Promise<void> {
  const record = await settleDisk(folder);
  const { snapshots } = await diskInfo(folder);
  if (!has(snapshots, name))
    throw new DriverError('no_snapshot', `There is no snapshot '${name}'.`);
  await writeRecord(folder, { ...record, restoring: name });
  await settleDisk(folder);
}

/** @throws {DriverError} `failed` */
export async function deleteSnapshot(folder: GuestFolder, name: string): Promise<void> {
  await settleDisk(folder);
  const { snapshots } = await diskInfo(folder);
  if (has(snapshots, name))
    await snapshotCommand(folder, '-d', name, 'The snapshot could not be removed.');
}

/** @throws {DriverError} `failed` */
export async function resizeGuest(folder: GuestFolder, size: GuestSize): Promise<void> {
  const record = await settleDisk(folder);
  if (size.memoryMiB < record.minMemoryMiB)
    throw new DriverError('failed', `The guest needs ${record.minMemoryMiB} MiB of memory.`);
  const { bytes } = await diskInfo(folder);
  if (size.storageGiB * GIB < bytes)
    throw new DriverError('failed', 'A disk cannot be made smaller.');
  await grow(folder, bytes, { ...record, storageGiB: size.storageGiB });
  const { cpus, memoryMiB, storageGiB } = size;
  await writeRecord(folder, { ...record, cpus, memoryMiB, storageGiB });
}

/**
 * Ends a restoration that was cut short: the guest may not be started, nor its disk be changed, with
 * half of it. @throws {DriverError} `failed`
 */
export async function settleDisk(folder: GuestFolder): Promise<GuestRecord> {
  const { restoring, ...record } = await readRecord(folder);
  if (restoring === undefined) return record;
  await snapshotCommand(folder, '-a', restoring, 'The snapshot could not be restored.');
  await grow(folder, (await diskInfo(folder)).bytes, record);
  await writeRecord(folder, record);
  return record;
}

async function grow(
  folder: GuestFolder,
  bytes: number,
  { storageGiB, reserved }: Pick<GuestRecord, 'storageGiB' | 'reserved'>,
): Promise<void> {
  if (storageGiB * GIB <= bytes) return;
  const failure = 'The disk could not be made larger.';
  const command = ['resize', '-q', ...(reserved ? ['--preallocation=falloc'] : [])];
  await onDisk(folder, command, failure, `${storageGiB}G`);
}

/** A name starts with a letter, so it is never taken for the number of a snapshot. */
async function snapshotCommand(
  folder: GuestFolder,
  command: '-a' | '-c' | '-d',
  name: string,
  failure: string,
): Promise<void> {
  await onDisk(folder, ['snapshot', '-q', command, name], failure);
}

function has(snapshots: readonly GuestSnapshot[], name: string): boolean {
  return snapshots.some((known) => known.name === name);
}

/**
 * A guest that took its QEMU over may have written into the disk's header that parts of it are other
 * files of this machine. So it is opened as QEMU opens it: as the guest's user, from the folder that it
 * runs in, without the file that it is an overlay of, which none of this needs.
 */
async function onDisk(
  folder: GuestFolder,
  command: readonly string[],
  failure: string,
  ...rest: readonly string[]
): Promise<string> {
  const user = await ownerOf(folder);
  const file = { driver: 'file', filename: relative(folder.run, folder.disk) };
  const disk = `json:${JSON.stringify({ driver: 'qcow2', backing: null, file })}`;
  const line = ['qemu-img', ...command, disk, ...rest];
  return qemuImg(user ? asUser(user, [], line) : line, { cwd: folder.run }, failure);
}

async function qemuImg(
  [program = '', ...args]: readonly string[],
  options: { readonly cwd?: string },
  failure: string,
): Promise<string> {
  const { stdout } = await run(program, args, options).catch((cause: unknown) => {
    throw new DriverError('failed', failure, { cause });
  });
  return stdout;
}
