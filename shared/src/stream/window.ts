/** How large a window is: as large as the line needs and the process can afford. Pure. */
import { LIMITS } from '../limits.ts';

const { windowBytes, windowMinBytes, windowMaxBytes } = LIMITS.relay;

/** Round trips that are longer by less than this are not longer: schedulers do that. */
const JITTER_MILLIS = 10;
/** A round trip that grew by more than this came with the window: it lies in queues on the way. */
const GROWTH = 1.5;
/** How long a window that proved too large is not tried again. Lines change, but not every second. */
const REST_MILLIS = 30_000;

/**
 * What the sessions of one process may hold together: each direction of each has an equal share.
 * Nothing is taken back that was granted, so a share that shrinks is kept to as windows move on.
 */
export class Budget {
  readonly #totalBytes: number;
  readonly #maxBytes: number;
  #sessions = 0;

  /** @param maxBytes no window is larger, whatever is left */
  constructor(totalBytes: number = LIMITS.relay.budgetBytes, maxBytes: number = windowMaxBytes) {
    this.#totalBytes = totalBytes;
    this.#maxBytes = Math.min(maxBytes, windowMaxBytes);
  }

  /** Bytes that one direction of one session may have under way. */
  get share(): number {
    const equal = Math.floor(this.#totalBytes / (2 * Math.max(1, this.#sessions)));
    return Math.min(this.#maxBytes, Math.max(windowMinBytes, equal));
  }

  /** A session begins; it ends when that is disposed of. */
  enter(): Disposable {
    this.#sessions += 1;
    let isIn = true;
    return {
      [Symbol.dispose]: () => {
        if (isIn) this.#sessions -= 1;
        isIn = false;
      },
    };
  }
}

/**
 * The receiver's choice of a window: twice as much whenever the sender waits for window that the
 * sink would have taken, for as long as the round trip does not grow with it. A round trip that
 * does is bytes in a queue on the way, which only make a keystroke wait.
 */
export class WindowTuner {
  #size = windowBytes;
  #shortest = Number.POSITIVE_INFINITY;
  #latest = Number.POSITIVE_INFINITY;
  #restsUntil = Number.NEGATIVE_INFINITY;
  /** A grant whose first use is still to be seen. */
  #watched: { readonly from: number; readonly at: number } | undefined;

  get size(): number {
    return this.#size;
  }

  /** Bytes from offset `from` on were granted for the first time. */
  granted(from: number, now: number): void {
    this.#watched ??= { from, at: now };
  }

  /**
   * Bytes up to offset `end` came in.
   * @param isBlocked the sender waits for window
   * @param pending bytes that wait for the sink
   */
  arrived(end: number, isBlocked: boolean, pending: number, now: number): void {
    if (this.#watched && end > this.#watched.from) this.#measured(now - this.#watched.at, now);
    if (!isBlocked || pending > this.#size / 2 || now < this.#restsUntil) return;
    if (this.#latest > this.#tolerable) return;
    this.#size = Math.min(windowMaxBytes, this.#size * 2);
    // What is measured next has to be of the new size.
    this.#latest = Number.POSITIVE_INFINITY;
    this.#watched = undefined;
  }

  /** Another line, of which nothing is known. */
  restart(): void {
    this.#shortest = Number.POSITIVE_INFINITY;
    this.#latest = Number.POSITIVE_INFINITY;
    this.#watched = undefined;
  }

  get #tolerable(): number {
    return this.#shortest * GROWTH + JITTER_MILLIS;
  }

  /** From a grant to the first byte that used it: at least one round trip. */
  #measured(roundTrip: number, now: number): void {
    this.#watched = undefined;
    this.#latest = roundTrip;
    if (roundTrip > this.#tolerable && this.#size > windowBytes) {
      this.#size /= 2;
      this.#restsUntil = now + REST_MILLIS;
    }
    this.#shortest = Math.min(this.#shortest, roundTrip);
  }
}
