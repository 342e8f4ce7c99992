/**
 * The sending half of a stream: never sends past what the receiver granted, and keeps what it sent
 * until the receiver's sink has it, to send it again over another socket. Pure.
 */
import { CLOSE, type Close } from '../closes.ts';
import { LIMITS } from '../limits.ts';
import type { Frame } from './frame.ts';
import { Ring } from './ring.ts';

/** The peer broke the protocol; the session cannot go on. */
export class StreamViolation extends Error {
  override readonly name = 'StreamViolation';
  readonly close: Close;

  constructor(message: string, close: Close = CLOSE.protocol) {
    super(message);
    this.close = close;
  }
}

export class Sender {
  readonly #share: () => number;
  #next = 0;
  #acknowledged = 0;
  #limit: number = LIMITS.relay.windowBytes;
  #finished = false;
  /** No receiver grants more than it holds, so that it is full only when the window is. */
  readonly #unacknowledged = new Ring(LIMITS.relay.windowMaxBytes);

  /** @param share bytes that this process lets the stream have under way, whatever is granted */
  constructor(share: () => number = () => LIMITS.relay.windowMaxBytes) {
    this.#share = share;
  }

  /** Bytes that may be sent now. At 0 the source is paused, never dropped. */
  get writable(): number {
    if (this.#finished) return 0;
    const limit = Math.min(this.#limit, this.#acknowledged + this.#share());
    return Math.max(0, limit - this.#next);
  }

  /** The receiver owes us an acknowledgement. */
  get isOwed(): boolean {
    return this.#acknowledged < this.#next;
  }

  /** Everything was sent, the end included, and the receiver's sink took it all. */
  get done(): boolean {
    return this.#finished && this.#acknowledged === this.#next;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** @returns the frames for `bytes`, of which there may be at most `writable`. */
  data(bytes: Uint8Array): Frame[] {
    if (bytes.length > this.writable)
      throw new RangeError('more bytes than the window has room for');
    const frames: Frame[] = [];
    for (let at = 0; at < bytes.length; at += LIMITS.relay.payloadBytes) {
      const payload = bytes.subarray(at, at + LIMITS.relay.payloadBytes);
      const offset = this.#next;
      this.#next += payload.length;
      this.#unacknowledged.append(payload);
      frames.push({ kind: 'data', offset, blocked: this.#next === this.#limit, payload });
    }
    return frames;
  }

  /** The end of the stream. Needs no window: it is one offset and no bytes. */
  fin(): Frame {
    if (this.#finished) throw new RangeError('the stream has ended already');
    this.#finished = true;
    const offset = this.#next;
    this.#next += 1;
    return { kind: 'fin', offset };
  }

  /** @throws {StreamViolation} for an acknowledgement of what was never sent, or that goes back. */
  acknowledged(offset: number, window: number): void {
    if (offset > this.#next) throw new StreamViolation('acknowledged bytes that were never sent');
    if (offset < this.#acknowledged) throw new StreamViolation('acknowledgement goes back');
    if (window > LIMITS.relay.windowMaxBytes) throw new StreamViolation('window is too large');
    this.#acknowledged = offset;
    this.#unacknowledged.release(Math.min(offset, this.#unacknowledged.end));
    // A granted byte stays granted: a smaller window only stops the limit from rising.
    this.#limit = Math.max(this.#limit, offset + window);
  }

  /** Lets go of memory that holds nothing. */
  trim(): void {
    this.#unacknowledged.trim();
  }

  /**
   * The receiver takes the stream up again, over another socket.
   * @param offset of the first byte that it has not received
   * @returns everything from there on that was sent before, the end included
   * @throws {StreamViolation} for an offset that it cannot have reached, or has left behind
   */
  resumed(offset: number): Frame[] {
    if (offset > this.#next) throw new StreamViolation('received bytes that were never sent');
    if (offset < this.#acknowledged) throw new StreamViolation('asks for what it has acknowledged');
    const { end } = this.#unacknowledged;
    const frames: Frame[] = [];
    let at = offset;
    for (const payload of this.#unacknowledged.from(
      Math.min(offset, end),
      LIMITS.relay.payloadBytes,
    )) {
      const blocked = !this.#finished && at + payload.length === this.#limit;
      frames.push({ kind: 'data', offset: at, blocked, payload });
      at += payload.length;
    }
    if (this.#finished && offset < this.#next) frames.push({ kind: 'fin', offset: end });
    return frames;
  }
}
