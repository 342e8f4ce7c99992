/** How much of the machine a guest's QEMU may take. Pure. */
import type { GuestSize } from '../../driver.ts';

export interface Limits {
  /** Of one processor's time. */
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly tasks: number;
}

/** For the disks and the network of a guest, which QEMU plays on threads of its own. */
const OVERHEAD_CPUS = 0.25;
/** QEMU itself, its buffers and, under emulation, what it has translated: see `TRANSLATED_MIB`. */
const OVERHEAD_MIB = 256;
/** What QEMU keeps of translated code; its own default, 1 GiB, would go beyond the bound. */
export const TRANSLATED_MIB = 128;
/** QEMU starts up to 64 threads for its disks, and a few more. */
const OVERHEAD_TASKS = 128;
const PERIOD_MICROS = 100_000;
const MIB = 1024 * 1024;

/**
 * What a guest's disk may do, each way. A busy guest is not to be felt by whoever else uses the disk;
 * both are well above what a hard disk gives, and a part of what an SSD does.
 */
export const DISK_LIMITS = { operationsPerSecond: 5000, bytesPerSecond: 200 * MIB };

export function planLimits({ cpus, memoryMiB }: GuestSize): Limits {
  return {
    cpus: cpus + OVERHEAD_CPUS,
    memoryBytes: (memoryMiB + OVERHEAD_MIB) * MIB,
    tasks: cpus + OVERHEAD_TASKS,
  };
}

/** A file of a control group, and what is written into it. */
export type Setting = readonly [file: string, value: string];

/** For version 2, where one group has all controllers. */
export function settingsV2({ cpus, memoryBytes, tasks }: Limits): Setting[] {
  return [
    ['cpu.max', `${quota(cpus)} ${PERIOD_MICROS}`],
    ['memory.max', String(memoryBytes)],
    ['pids.max', String(tasks)],
  ];
}

export const CONTROLLERS = ['cpu', 'memory', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** For version 1, where each controller has a group of its own. */
export function settingsV1(
  controller: Controller,
  { cpus, memoryBytes, tasks }: Limits,
): Setting[] {
  switch (controller) {
    case 'cpu':
      return [
        ['cpu.cfs_period_us', String(PERIOD_MICROS)],
        ['cpu.cfs_quota_us', String(quota(cpus))],
      ];
    case 'memory':
      return [['memory.limit_in_bytes', String(memoryBytes)]];
    case 'pids':
      return [['pids.max', String(tasks)]];
    default:
      return controller satisfies never;
  }
}

function quota(cpus: number): number {
  return Math.round(cpus * PERIOD_MICROS);
}
