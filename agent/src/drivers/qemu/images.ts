/** Which files of images the guests below a folder need: the ones their disks are overlays of, and kernels. */
import { open, readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DriverError } from '../driver.ts';
import { guestFolder, guestIds } from './folder.ts';
import { readRecord } from './record.ts';

const MAGIC = 0x51_46_49_fb;
/** Magic, version, offset of the backing file's name, its length. */
const HEADER_BYTES = 20;
/** QEMU's own bound. */
const NAME_BYTES = 1023;

/**
 * @returns absolute paths
 * @throws when there is a guest of which it cannot be told
 */
export async function imageFilesInUse(stateDir: string): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  const ids = await guestIds(stateDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const vmId of ids) {
    const folder = guestFolder(stateDir, vmId);
    const isEmpty = (await readdir(folder.path).catch(gone)).length === 0;
    if (isEmpty) continue;
    const backing = await backingFile(folder.disk);
    if (backing !== undefined) used.add(resolve(folder.path, backing));
    const record = await readRecord(folder).catch((error: unknown) => {
      // Half-made: it will not be started again.
      if (error instanceof DriverError && error.code === 'absent') return undefined;
      throw error;
    });
    for (const file of [record?.kernel?.vmlinuz, record?.kernel?.initrd]) {
      if (file !== undefined) used.add(resolve(folder.path, file));
    }
  }
  return used;
}

/** @returns as it stands in the header of a qcow2 file; undefined when there is none, or no such file */
export async function backingFile(path: string): Promise<string | undefined> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  await using opened = file;
  const header = Buffer.alloc(HEADER_BYTES);
  await opened.read(header, 0, HEADER_BYTES, 0);
  if (header.readUInt32BE(0) !== MAGIC) throw new Error(`${path} is no qcow2 file`);
  const offset = header.readBigUInt64BE(8);
  const length = header.readUInt32BE(16);
  if (offset === 0n) return undefined;
  if (length === 0 || length > NAME_BYTES) throw new Error(`${path} has a damaged header`);
  const name = Buffer.alloc(length);
  const { bytesRead } = await opened.read(name, 0, length, Number(offset));
  if (bytesRead < length) throw new Error(`${path} has a damaged header`);
  return name.toString('utf8');
}

function gone(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
