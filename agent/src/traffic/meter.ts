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
 */
export function read(meter: Meter, readings: ReadonlyMap<string, Reading>, now: number): Meter {
  const month = monthOf(now);
  // A clock that is set back does not give a month back.
  const isNew = month > meter.month;
  let [receivedBytes, sentBytes] = isNew ? [0, 0] : [meter.receivedBytes, meter.sentBytes];
  for (const [source, reading] of readings) {
    const before = meter.seen.get(source);
    receivedBytes += since(before?.receivedBytes, reading.receivedBytes);
    sentBytes += since(before?.sentBytes, reading.sentBytes);
  }
  return {
    month: isNew ? month : meter.month,
    receivedBytes,
    sentBytes,
    seen: new Map(readings),
  };
}

export const usedBytes = ({ receivedBytes, sentBytes }: Meter): number => receivedBytes + sentBytes;

function since(before: number | undefined, now: number): number {
  return before !== undefined && now >= before ? now - before : now;
}
