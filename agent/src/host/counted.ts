/**
 * What guests have used, summed over all that ever ran since the agent was started. A guest counts
 * from zero whenever it starts, and goes; the sums only rise. Pure.
 */
import type { GuestUsage } from '../drivers/driver.ts';

const COUNTERS = ['cpuSeconds', 'receivedBytes', 'sentBytes'] as const;
type Counts = Readonly<Record<(typeof COUNTERS)[number], number>>;

export interface Counted {
  /** Since the agent was started. */
  readonly sums: Counts;
  /** What each guest said last. */
  readonly last: ReadonlyMap<string, Counts>;
}

const ZERO: Counts = { cpuSeconds: 0, receivedBytes: 0, sentBytes: 0 };
export const NOTHING_COUNTED: Counted = { sums: ZERO, last: new Map() };

/** @param isFirst what guests used before the agent was started is not counted */
export function count(
  before: Counted,
  guests: ReadonlyMap<string, GuestUsage>,
  isFirst: boolean,
): Counted {
  const sums = { ...before.sums };
  const last = new Map<string, Counts>();
  for (const [vmId, usage] of guests) {
    const known = before.last.get(vmId);
    const now = { ...(known ?? ZERO) };
    for (const counter of COUNTERS) {
      const value = usage[counter];
      if (value === undefined) continue;
      const since = known?.[counter] ?? (isFirst ? value : 0);
      // One that has gone down was started again meanwhile.
      sums[counter] += value >= since ? value - since : value;
      now[counter] = value;
    }
    last.set(vmId, now);
  }
  return { sums, last };
}
