/**
 * The time that is charged: the machine's clock, as long as that goes forward and no faster than time
 * passes. Pure but for the two clocks that it is given.
 */

/** What a clock may be put forward at once, when it is set right, without being noticed. */
const SLACK_MILLIS = 5_000;

/**
 * A clock that is set back by no more than this is waited for. One that is further behind was ahead before,
 * maybe by years: time then goes by the time that passes, until the clock has caught up.
 */
const WAIT_MILLIS = 3_600_000;

export interface Leap {
  readonly from: number;
  readonly to: number;
}

export interface LedgerTimeOptions {
  /** Milliseconds since 1970, by the machine's clock. */
  readonly now: () => number;
  /** Milliseconds that the machine has been awake. Never goes back. */
  readonly awake: () => number;
  /** The last time that is on disk; undefined for one that begins with the machine's clock. */
  readonly last: number | undefined;
  /** Milliseconds since `last` for which the machine was up for sure. */
  readonly passed: number;
}

export class LedgerTime {
  readonly #options: LedgerTimeOptions;
  #last: number;
  /** A moment at which both clocks were read. */
  #anchor: { readonly at: number; readonly awake: number };

  constructor(options: LedgerTimeOptions) {
    this.#options = options;
    // A clock that is wrong when the agent starts is believed no more than one that goes wrong later.
    this.#last = options.last ?? options.now();
    this.#anchor = { at: this.#last + options.passed, awake: options.awake() };
  }

  /** Stands still while the machine's clock is a little behind what was read before. */
  get now(): number {
    return this.#read().at;
  }

  /**
   * Takes note of the time, and of a leap that the machine's clock has made since the last one: what lies
   * before `from` has passed, and what lies between did not.
   * @param write writes it down; when it throws nothing is taken note of
   */
  advance(write: (at: number, leap: Leap | undefined) => void): void {
    const { at, leap } = this.#read();
    const awake = this.#options.awake();
    const now = leap?.to ?? at;
    write(now, leap);
    this.#last = now;
    if (leap) this.#anchor = { at: now, awake };
  }

  #read(): { at: number; leap: Leap | undefined } {
    const { now, awake } = this.#options;
    const wall = now();
    const passed = Math.floor(this.#anchor.at + (awake() - this.#anchor.awake));
    if (wall < this.#last - WAIT_MILLIS) {
      return { at: Math.max(this.#last, passed), leap: undefined };
    }
    if (wall <= this.#last) return { at: this.#last, leap: undefined };
    if (wall <= passed + SLACK_MILLIS) return { at: wall, leap: undefined };
    const from = Math.max(this.#last, passed);
    return { at: from, leap: { from, to: wall } };
  }
}
