/** What a guest takes of the host. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestUsage } from '../driver.ts';
import type { GuestFolder } from './folder.ts';
import { qemuPid } from './process.ts';

/** In which the kernel counts a process's time for whoever reads it, on every architecture. */
const TICKS_PER_SECOND = 100;
/** `st_blocks` counts in these, whatever the file system's own are. */
const BLOCK_BYTES = 512;

/** The network's counters are its backend's. */
export async function hostUsage(
  folder: GuestFolder,
): Promise<Pick<GuestUsage, 'cpuSeconds' | 'memoryBytes' | 'diskBytes'>> {
  const [pid, diskBytes] = await Promise.all([qemuPid(folder), allocatedBytes(folder.path)]);
  const process = pid === undefined ? undefined : await processUsage(pid);
  return { cpuSeconds: process?.cpuSeconds, memoryBytes: process?.memoryBytes, diskBytes };
}

/** @param stat of `/proc/PID/stat` @returns of user and system time together */
export function cpuSecondsOf(stat: string): number {
  // The name of the program comes second, in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** @param status of `/proc/PID/status` */
export function residentBytesOf(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** Undefined for one that has just ended, and where there is no /proc. */
async function processUsage(pid: number) {
  try {
    const [stat, status] = await Promise.all(
      ['stat', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
    );
    return { cpuSeconds: cpuSecondsOf(stat ?? ''), memoryBytes: residentBytesOf(status ?? '') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/** What the files of a folder take on the disk: a disk image has holes. */
async function allocatedBytes(path: string): Promise<number> {
  const names = await readdir(path);
  const sizes = await Promise.all(
    names.map(async (name) => {
      const info = await stat(join(path, name)).catch((error: NodeJS.ErrnoException) => {
        // QEMU makes and removes sockets as it pleases.
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      return (info?.blocks ?? 0) * BLOCK_BYTES;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
