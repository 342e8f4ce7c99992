/** Waits between tries: full jitter, so that a million agents do not come back at once. */

export interface BackoffOptions {
  /** The first wait is up to this many milliseconds. */
  readonly firstMillis: number;
  /** No wait is longer. */
  readonly capMillis: number;
}

/**
 * @param attempt failures so far, from 1
 * @param random uniform in [0, 1)
 * @returns milliseconds: uniform between 0 and `firstMillis` doubled for every failure, up to the cap
 */
export function backoffMillis(
  attempt: number,
  random: () => number,
  options: BackoffOptions,
): number {
  const ceiling = Math.min(options.capMillis, options.firstMillis * 2 ** Math.min(attempt - 1, 30));
  return Math.floor(random() * ceiling);
}
