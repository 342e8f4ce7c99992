/**
 * Both directions of a session as one end of it sees them: frames come in and go out, bytes are
 * written and taken. Pure: sockets, timers and who waits for what are the shell's (`pump.ts`).
 */
import { Backlog } from './backlog.ts';
import type { Frame } from './frame.ts';
import { Receiver } from './receiver.ts';
import { Sender, StreamViolation } from './sender.ts';

export interface SessionOptions {
  readonly send: (frame: Frame) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Bytes that this process lets each direction have under way. */
  readonly share: () => number;
}

/** The other end has given the session up, with a reason. */
export class SessionReset extends Error {
  override readonly name = 'SessionReset';
}

export class Session {
  readonly #options: SessionOptions;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #backlog = new Backlog();
  #isEndTaken = false;
  #isUp = true;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#sender = new Sender(options.share);
    this.#receiver = new Receiver(options.share);
  }

  /** Both ends have met on the current socket. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Both directions have ended, and each end knows. */
  get isDone(): boolean {
    return this.#sender.done && this.#receiver.done;
  }

  /** The other end owes us an acknowledgement. */
  get isOwed(): boolean {
    return this.#sender.isOwed;
  }

  /** @returns how many of `bytes` were taken: as many as there is window for, which may be none */
  write(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.#sender.writable);
    for (const frame of this.#sender.data(bytes.subarray(0, length))) this.#send(frame);
    return length;
  }

  end(): void {
    this.#send(this.#sender.fin());
  }

  /** @throws {StreamViolation | SessionReset} the session cannot go on. */
  receive(frame: Frame): void {
    if (!this.#isUp && frame.kind !== 'resume') {
      throw new StreamViolation(`${frame.kind} before the session was taken up`);
    }
    switch (frame.kind) {
      case 'data': {
        const { offset, payload, blocked } = frame;
        this.#receiver.data(offset, payload.length, blocked, this.#options.now());
        this.#backlog.add(payload);
        return;
      }
      case 'fin':
        return this.#receiver.fin(frame.offset);
      case 'ack':
        return this.#sender.acknowledged(frame.offset, frame.window);
      case 'ping':
        return this.#send({ kind: 'pong', offset: frame.offset });
      case 'probe':
        return this.#send(frame);
      case 'pong':
        return undefined;
      case 'reset':
        throw new SessionReset(frame.reason || `code ${frame.code}`);
      case 'resume':
        return this.#resumed(frame.offset);
    }
  }

  /** @returns what the sink is to have next: bytes, the end, or nothing yet */
  take(): Uint8Array | 'end' | undefined {
    const bytes = this.#backlog.take();
    if (bytes || !this.#receiver.finished || this.#isEndTaken) return bytes;
    this.#isEndTaken = true;
    return 'end';
  }

  /** The sink has what it took. @returns whether an acknowledgement is due at once */
  taken(what: Uint8Array | 'end'): boolean {
    return this.#receiver.delivered(what === 'end' ? 1 : what.length);
  }

  acknowledge(): void {
    const ack = this.#receiver.acknowledge(this.#options.now());
    if (ack) this.#send(ack);
  }

  ping(): void {
    this.#send({ kind: 'ping', offset: 0 });
  }

  /** Lets go of memory that holds nothing. */
  trim(): void {
    this.#sender.trim();
  }

  /** The socket is gone; nothing of it is heard any more. */
  lost(): void {
    this.#isUp = false;
  }

  /**
   * Another socket is there. What waits for the sink came over the old one, and is not lost with
   * it: it need not come again.
   */
  resume(epoch: number): void {
    this.#options.send(this.#receiver.resume(epoch));
    this.acknowledge();
  }

  #resumed(offset: number): void {
    if (this.#isUp) throw new StreamViolation('resume in the middle of a session');
    const again = this.#sender.resumed(offset);
    this.#isUp = true;
    for (const frame of again) this.#send(frame);
  }

  #send(frame: Frame): void {
    // Until the other end has said where it is, what is sent is kept, and goes out after that.
    if (!this.#isUp && (frame.kind === 'data' || frame.kind === 'fin')) return;
    this.#options.send(frame);
  }
}
