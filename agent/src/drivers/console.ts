/** Parts of what a guest wrote to its serial console. Pure. */

export interface ConsolePart {
  readonly bytes: Buffer;
  /** Offset of the first byte. */
  readonly from: number;
  /** Another one when offsets begin at 0 again: what lies at an offset is the same within one. */
  readonly epoch: number;
}

/** What a host is asked for when it has, or shows, no console. */
export const NO_CONSOLE: ConsolePart = { bytes: Buffer.alloc(0), from: 0, epoch: 0 };

/**
 * Which bytes are read of those from `start` to `end` that are kept.
 * @param after without it the last ones; with it the first ones from there on, or of all that are kept
 * where it is no offset among them
 */
export function consoleRange(
  { start, end }: { readonly start: number; readonly end: number },
  maxBytes: number,
  after: number | undefined,
): { readonly from: number; readonly to: number } {
  if (after === undefined) return { from: Math.max(start, end - maxBytes), to: end };
  const from = after < start || after > end ? start : after;
  return { from, to: Math.min(end, from + maxBytes) };
}
