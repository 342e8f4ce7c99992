/** What every guest meets, whatever kind of table it is in. Pure. */

/** Opening more in a second, after a burst, is scanning. */
const CONNECTIONS_PER_SECOND = 200;

/** A packet is up to 64 KiB where the kernel has put segments together: less would let none pass. */
const MIN_BURST_BYTES = 256 * 1024;

/** As seen from the guest: what it sends, and what it receives. */
export type Direction = 'from' | 'to';

/**
 * The named limits that `capped` refers to: what a guest may send and receive, whichever way it goes. A
 * tenth of a second may come at once.
 */
export function rateLimits(name: string, bitsPerSecond: number | undefined): string {
  if (bitsPerSecond === undefined) return '';
  const bytes = Math.max(1, Math.floor(bitsPerSecond / 8));
  const burst = Math.max(MIN_BURST_BYTES, Math.floor(bytes / 10));
  const limit = (direction: Direction) =>
    `  limit ${name}_${direction} { rate over ${bytes} bytes/second burst ${burst} bytes\n  }\n`;
  return limit('from') + limit('to');
}

/** Drops what is too much. */
export function capped(
  name: string,
  direction: Direction,
  bitsPerSecond: number | undefined,
): string {
  if (bitsPerSecond === undefined) return '';
  return `limit name "${name}_${direction}" counter name ${name}_capped drop`;
}

/** The end of a chain for what a guest sends: checked, counted and let pass. */
export function outgoing(name: string): string {
  return [
    `ip daddr @closed ip daddr != @resolvers counter name ${name}_closed`,
    'jump check',
    `ct state new limit rate over ${CONNECTIONS_PER_SECOND}/second burst ${CONNECTIONS_PER_SECOND * 2} packets counter name ${name}_capped drop`,
    `counter name ${name}_sent accept`,
  ].join('\n    ');
}
