/** The files of a memory guest: on its disk, in its memory, and those that its kernel makes up. Pure. */
import type { GuestRecord } from './record.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const KIB_PER_MIB = 1024;
const KIB_PER_GIB = 1024 * 1024;

/** @returns undefined when there is no such file. */
export function readFile(record: GuestRecord, path: string): Buffer | undefined {
  const made = madeUp(record, path);
  if (made !== undefined) return Buffer.from(made);
  const files = inMemory(path) ? record.memory : record.disk;
  const content = Object.hasOwn(files, path) ? files[path] : undefined;
  return content === undefined ? undefined : Buffer.from(content, 'base64');
}

export function writeFile(record: GuestRecord, path: string, content: Buffer): GuestRecord {
  const place = inMemory(path) ? 'memory' : 'disk';
  return { ...record, [place]: { ...record[place], [path]: content.toString('base64') } };
}

/** Bytes of some files. */
export function sizeOf(files: Readonly<Record<string, string>>): number {
  const sizes = Object.values(files).map((content) => Buffer.byteLength(content, 'base64'));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function inMemory(path: string): boolean {
  return path.startsWith('/dev/shm/');
}

function madeUp({ bootId, size }: GuestRecord, path: string): string | undefined {
  if (path === BOOT_ID) return `${bootId}\n`;
  if (path === '/proc/meminfo') return `MemTotal: ${size.memoryMiB * KIB_PER_MIB} kB\n`;
  if (path === '/proc/partitions') {
    return `major minor  #blocks  name\n\n 254 0 ${size.storageGiB * KIB_PER_GIB} vda\n`;
  }
  return undefined;
}
