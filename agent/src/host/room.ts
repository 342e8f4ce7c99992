/**
 * What the machine really has for guests at the moment, whatever was promised: memory and disk are
 * never given out twice, neither to tenants nor to what else runs here. Pure.
 */
import type { Amounts } from '@vm-on-golem/shared/offer';

const GIB = 2 ** 30;

/** The machine at one moment. Sizes in MiB and bytes. */
export interface HostState {
  readonly memoryMiB: number;
  readonly availableMemoryMiB: number;
  /** Of the file system that guests' disks are on. */
  readonly diskBytes: number;
  readonly freeDiskBytes: number;
}

/** What guests hold of it at that moment. It is theirs already: they may come to hold all they rent. */
export interface GuestsHold {
  readonly memoryMiB: number;
  readonly diskBytes: number;
}

export interface Reserve {
  readonly memoryMiB: number;
  readonly storageGiB: number;
}

/**
 * What all guests together may rent, those that are there included. The reserve is for what else runs
 * on the machine, and where that takes more than the reserve, guests get less.
 */
export function realRoom(
  host: HostState,
  guests: GuestsHold,
  reserve: Reserve,
): { readonly memoryMiB: number; readonly storageGiB: number } {
  const used = host.memoryMiB - host.availableMemoryMiB;
  const others = Math.max(0, used - guests.memoryMiB);
  const forDisks = host.freeDiskBytes + guests.diskBytes - reserve.storageGiB * GIB;
  return {
    memoryMiB: Math.max(0, Math.floor(host.memoryMiB - Math.max(reserve.memoryMiB, others))),
    storageGiB: Math.max(0, Math.floor(forDisks / GIB)),
  };
}

/** Less at once, more only when it is this much more: every change is a new offer. */
export const STEP = { memoryMiB: 512, storageGiB: 2 } as const;

/** In halves of a step, as what is free is never quite the same twice. @param before what was said last */
export function settle(before: number | undefined, now: number, step: number): number {
  const grain = step / 2;
  const said = Math.floor(now / grain) * grain;
  return before === undefined || said < before || said >= before + step ? said : before;
}

/** The configured shares, as far as the machine has them. */
export function bounded(
  shares: Amounts,
  real: { readonly memoryMiB: number; readonly storageGiB: number },
): Amounts {
  return {
    ...shares,
    memoryMiB: Math.min(shares.memoryMiB, real.memoryMiB),
    storageGiB: Math.min(shares.storageGiB, real.storageGiB),
  };
}
