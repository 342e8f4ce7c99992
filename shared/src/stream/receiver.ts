/** The receiving half of a stream: grants window as its sink takes bytes. Pure. */
import { CLOSE } from '../closes.ts';
import { LIMITS } from '../limits.ts';
import type { Frame } from './frame.ts';
import { StreamViolation } from './sender.ts';
import { WindowTuner } from './window.ts';

export class Receiver {
  #received = 0;
  #delivered = 0;
  #reported = 0;
  #isReportDue = false;
  #limit: number = LIMITS.relay.windowBytes;
  #finished = false;
  readonly #tuner = new WindowTuner();
  readonly #share: () => number;

  /** @param share bytes that this process lets the stream have under way */
  constructor(share: () => number = () => LIMITS.relay.windowMaxBytes) {
    this.#share = share;
  }

  /** The peer has ended its stream, and the sink took everything. */
  get done(): boolean {
    return this.#finished && this.#delivered === this.#received;
  }

  /** The peer has ended its stream; the sink may not know yet. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Bytes that were received and that the sink has not taken yet. */
  get pending(): number {
    return this.#received - this.#delivered - (this.#finished ? 1 : 0);
  }

  /**
   * @param isBlocked the sender waits for window
   * @param now milliseconds of any clock that never goes back
   * @throws {StreamViolation} for a gap, a repetition, bytes after the end or past the window.
   */
  data(offset: number, length: number, isBlocked: boolean, now: number): void {
    this.#expect(offset);
    if (offset + length > this.#limit)
      throw new StreamViolation(CLOSE.overWindow.reason, CLOSE.overWindow);
    this.#received += length;
    this.#tuner.arrived(this.#received, isBlocked, this.pending, now);
  }

  /** @throws {StreamViolation} */
  fin(offset: number): void {
    this.#expect(offset);
    this.#received += 1;
    this.#finished = true;
  }

  /**
   * The sink took `length` bytes (or the end, which counts 1).
   * @returns whether an acknowledgement is due now; otherwise it is due within `LIMITS.relay.ackMillis`.
   */
  delivered(length: number): boolean {
    if (this.#delivered + length > this.#received)
      throw new RangeError('the sink took more than came');
    this.#delivered += length;
    // Several times in a window, or its sender would wait for every one of them.
    const due = Math.min(LIMITS.relay.ackBytes, this.#window / 4);
    return this.done || this.#delivered - this.#reported >= due;
  }

  /** @returns the acknowledgement of all that was delivered, or undefined if there is no news. */
  acknowledge(now: number): Frame | undefined {
    if (this.#reported === this.#delivered && !this.#isReportDue) return undefined;
    this.#reported = this.#delivered;
    this.#isReportDue = false;
    const window = this.#window;
    const limit = this.#delivered + window;
    if (limit > this.#limit) {
      this.#tuner.granted(this.#limit, now);
      this.#limit = limit;
    }
    return { kind: 'ack', offset: this.#delivered, window };
  }

  /**
   * Takes the stream up again, over another socket. The old one must be heard no more. What came
   * over it and waits for the sink is received, and need not come again.
   * @returns the first frame on the new socket
   */
  resume(epoch: number): Frame {
    // Whether the last report arrived nobody knows: it is due again, and grants its window anew.
    this.#isReportDue = true;
    this.#tuner.restart();
    return { kind: 'resume', offset: this.#received, epoch };
  }

  get #window(): number {
    return Math.min(this.#tuner.size, this.#share());
  }

  #expect(offset: number): void {
    if (this.#finished) throw new StreamViolation('bytes after the end');
    if (offset !== this.#received) {
      throw new StreamViolation(`bytes at ${offset}, expected ${this.#received}`);
    }
  }
}
