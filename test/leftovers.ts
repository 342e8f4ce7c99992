/** What is still there of a network that was to leave nothing behind (Linux). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Command lines of processes that were given a path below `dir`, or run there: QEMU knows its files
 * by relative paths alone.
 */
export function processesBelow(dir: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        // Of a folder that was removed it says so at the end.
        const isBelow = command.includes(dir) || readlinkSync(`/proc/${pid}/cwd`).startsWith(dir);
        return isBelow ? [`${pid} ${command}`] : [];
      } catch (error) {
        // It has just ended, or is a thread of the kernel.
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return [];
        throw error;
      }
    });
}
