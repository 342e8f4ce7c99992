/** What the operating system says of this machine. */
import { execFile } from 'node:child_process';
import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AGENT_LIMITS } from '../limits.ts';
import type { HostState } from './room.ts';

const MIB = 2 ** 20;

/** Since the machine was started, summed over its CPUs. */
export interface CpuTimes {
  readonly busySeconds: number;
  readonly totalSeconds: number;
}

/** @param folder on the file system that guests' disks are on */
export async function measureHost(folder: string): Promise<HostState> {
  const [disk, memory] = await Promise.all([statfs(folder), measureMemory()]);
  return {
    memoryMiB: Math.floor(memory.total / MIB),
    availableMemoryMiB: Math.floor(memory.available / MIB),
    diskBytes: disk.blocks * disk.bsize,
    freeDiskBytes: disk.bavail * disk.bsize,
  };
}

export function measureCpus(): CpuTimes {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    const working = times.user + times.nice + times.sys + times.irq;
    busy += working;
    total += working + times.idle;
  }
  return { busySeconds: busy / 1000, totalSeconds: total / 1000 };
}

interface Memory {
  readonly total: number;
  readonly available: number;
}

async function measureMemory(): Promise<Memory> {
  const total = totalmem();
  // Node's `freemem` is what Linux calls available; elsewhere it is what nobody uses even as a cache.
  const available = process.platform === 'darwin' ? await availableOnMac() : freemem();
  const limit = process.constrainedMemory();
  if (limit <= 0 || limit >= total) return { total, available };
  const used = await usedOfCgroup();
  return { total: limit, available: Math.min(available, Math.max(0, limit - (used ?? 0))) };
}

async function availableOnMac(): Promise<number> {
  const { stdout } = await promisify(execFile)('vm_stat', {
    timeout: AGENT_LIMITS.host.commandMillis,
  });
  return parseVmStat(stdout) ?? freemem();
}

/**
 * What macOS could give at once: free pages, and those that hold nothing but copies of files.
 * @returns bytes; undefined for a text that is something else
 */
export function parseVmStat(text: string): number | undefined {
  const pageBytes = Number(/page size of (\d+) bytes/.exec(text)?.[1]);
  const pages = (name: string) =>
    Number(new RegExp(`^Pages ${name}:\\s+(\\d+)\\.?$`, 'm').exec(text)?.[1]);
  const bytes =
    pageBytes * (pages('free') + pages('inactive') + pages('speculative') + pages('purgeable'));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Without the copies of files that the kernel gives up when it needs room. */
async function usedOfCgroup(): Promise<number | undefined> {
  try {
    const own = await readFile('/proc/self/cgroup', 'utf8');
    const folder = join('/sys/fs/cgroup', /^0::(\/.*)$/m.exec(own)?.[1] ?? '/');
    const current = await readFile(join(folder, 'memory.current'), 'utf8');
    return usedMemory(current, await readFile(join(folder, 'memory.stat'), 'utf8'));
  } catch (error) {
    // The limit is that of a group above, or of a machine that has no cgroups.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** From `memory.current` and `memory.stat` of a cgroup. @returns bytes */
export function usedMemory(current: string, stat: string): number | undefined {
  const all = Number(current.trim() || Number.NaN);
  const files = Number(/^inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0);
  return Number.isSafeInteger(all) ? Math.max(0, all - files) : undefined;
}
