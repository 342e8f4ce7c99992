/** What a VM costs over time, as intervals in which nothing about its price changed. Pure. */
import type { Resources } from '@vm-on-golem/shared/vm';
import type { VmRecord } from '../records.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export interface Tariff {
  /** Whether processors and memory are charged, or the disk alone. */
  readonly running: boolean;
  readonly resources: Resources;
  /** nano-USD. */
  readonly hourlyPrice: number;
}

/** From `from` up to and without `to`, in milliseconds since 1970. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly tariff: Tariff;
}

/** The interval that is still open. */
export interface Meter {
  readonly tariff: Tariff;
  readonly from: number;
  /** The last sign of life: up to here it is certain what the VM was. */
  readonly seen: number;
}

export interface Reading {
  /** Undefined when nothing is charged any more. */
  readonly meter: Meter | undefined;
  /** What is settled, in order and without gaps. */
  readonly intervals: readonly Interval[];
}

type Priced = Pick<
  VmRecord,
  'phase' | 'power' | 'removing' | 'goneAt' | 'resources' | 'hourlyPrice' | 'storagePrice'
>;

/**
 * Processors and memory are charged while the guest of a VM takes them: from when the hypervisor is asked to
 * boot it until it is known to have ended, however long its shutdown takes. The disk is charged from the first
 * time that it ran until its removal is decided. One that its provider has lost costs nothing.
 * @returns undefined before that time and after it
 */
export function tariffOf(vm: Priced): Tariff | undefined {
  if (vm.goneAt !== null || vm.removing) return undefined;
  const { phase, resources } = vm;
  if (phase === 'creating' || phase === 'destroying') return undefined;
  if (vm.power !== 'off') return { running: true, resources, hourlyPrice: vm.hourlyPrice };
  const hourlyPrice = phase === 'failed' ? 0 : vm.storagePrice;
  return { running: false, resources, hourlyPrice };
}

export function isSame(a: Tariff, b: Tariff): boolean {
  return (
    a.running === b.running &&
    a.hourlyPrice === b.hourlyPrice &&
    a.resources.cpus === b.resources.cpus &&
    a.resources.memoryMiB === b.resources.memoryMiB &&
    a.resources.storageGiB === b.resources.storageGiB
  );
}

/**
 * Whether the guest was found to have ended, and was not told to: by itself, or because it never came up. That
 * was at some time since the last look.
 */
export function wasSeen(before: Priced, after: Priced): boolean {
  if (before.power === 'off' || after.power !== 'off') return false;
  return before.phase === 'running' || before.power === 'booting';
}

/**
 * The tariff changes at `at`.
 * @param certain it is known that a running VM ran until now; otherwise it is charged as running up
 * to the last sign of life, and the change is dated back to that
 */
export function turn(
  meter: Meter | undefined,
  next: Tariff | undefined,
  at: number,
  certain: boolean,
): Reading {
  if (!meter) return { meter: next && { tariff: next, from: at, seen: at }, intervals: [] };
  const now = Math.max(at, meter.seen);
  const until = meter.tariff.running && !certain ? meter.seen : now;
  return {
    meter: next && { tariff: next, from: until, seen: now },
    intervals: settled(meter, until),
  };
}

/**
 * A regular look at `at`. What has been open for `every` milliseconds is settled.
 * @param isAlive the guest was seen to run: it ran all the time since the last look
 */
export function look(meter: Meter, at: number, isAlive: boolean, every: number): Reading {
  const { tariff, from } = meter;
  const seen = tariff.running && !isAlive ? meter.seen : Math.max(at, meter.seen);
  if (seen - from < every) return { meter: { tariff, from, seen }, intervals: [] };
  return { meter: { tariff, from: seen, seen }, intervals: settled(meter, seen) };
}

/** Time that did not pass for the machine: it slept, or its clock was put forward. Nobody pays for it. */
export function skip(meter: Meter, leap: { readonly from: number; readonly to: number }): Reading {
  const { tariff } = meter;
  const until = tariff.running ? meter.seen : Math.max(leap.from, meter.seen);
  const to = Math.max(leap.to, until);
  const free: Tariff = { running: false, resources: tariff.resources, hourlyPrice: 0 };
  const slept = to > until ? [{ from: until, to, tariff: free }] : [];
  return {
    meter: { tariff, from: to, seen: to },
    intervals: [...settled(meter, until), ...slept],
  };
}

/** What has been charged for sure, and is not settled yet. */
export function pending(meter: Meter, at: number): Interval | undefined {
  const until = meter.tariff.running ? meter.seen : Math.max(at, meter.seen);
  return settled(meter, until)[0];
}

/** Cut at every midnight of UTC, so that sums of days are exact; what costs nothing is left whole. */
export function byDays(interval: Interval): Interval[] {
  const { tariff } = interval;
  if (!tariff.running && tariff.hourlyPrice === 0) return [interval];
  const days: Interval[] = [];
  for (let from = interval.from; from < interval.to;) {
    const to = Math.min(interval.to, (Math.floor(from / DAY) + 1) * DAY);
    days.push({ from, to, tariff });
    from = to;
  }
  return days;
}

function settled({ tariff, from }: Meter, to: number): Interval[] {
  return to > from ? [{ from, to, tariff }] : [];
}
