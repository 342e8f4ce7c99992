/** How much of its month's traffic a provider has used. Pure. */

/** Bytes that passed, as somebody counts them who never forgets, or begins anew at nothing. */
export interface Reading {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface Meter {
  /** `YYYY-MM` in UTC. */
  readonly month: string;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** The last reading of each source. */
  readonly seen: ReadonlyMap<string, Reading>;
}

const monthOf = (now: number): string => new Date(now).toISOString().slice(0, 7);

export function newMeter(now: number): Meter {
  return { month: monthOf(now), receivedBytes: 0, sentBytes: 0, seen: new Map() };
}

/**
 * Adds what has passed since the last readings. A source that is read for the first time counts from
 * nothing, and one that fell was reset: all that it says is new. One that is not read any more is
 * forgotten; what it has used stays used.
 *
 * A month ends when the clock says so. One that was ahead and is set right gives no month back: what was
 * counted in a month that is yet to come is added to the month in which it passed.
 * @param earlier what was counted in a month before the meter's
 */
export function read(
  meter: Meter,
  readings: ReadonlyMap<string, Reading>,
  now: number,
  earlier: (month: string) => Reading | undefined = () => undefined,
): Meter {
  const month = monthOf(now);
  let { receivedBytes, sentBytes } = month > meter.month ? NOTHING : meter;
  const before = month < meter.month ? earlier(month) : undefined;
  receivedBytes += before?.receivedBytes ?? 0;
  sentBytes += before?.sentBytes ?? 0;
  for (const [source, reading] of readings) {
    const before = meter.seen.get(source);
    receivedBytes += since(before?.receivedBytes, reading.receivedBytes);
    sentBytes += since(before?.sentBytes, reading.sentBytes);
  }
  return {
    month,
    receivedBytes,
    sentBytes,
    seen: new Map(readings),
  };
}

const NOTHING: Reading = { receivedBytes: 0, sentBytes: 0 };

export const usedBytes = ({ receivedBytes, sentBytes }: Meter): number => receivedBytes + sentBytes;

function since(before: number | undefined, now: number): number {
  return before !== undefined && now >= before ? now - before : now;
}
