/**
 * Runs one session between a byte source and sink on this side and frame sockets to the relay, one
 * after the other. Knows neither Node nor sockets: agent and CLI hand in thin adapters.
 */
import { CLOSE, closeReason, Ending, type Close } from '../closes.ts';
import { GolemError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { decodeFrame, encodeFrame, FrameError, type Frame } from './frame.ts';
import type { Garbage } from './garbage.ts';
import { Lines, type Redial } from './lines.ts';
import { Liveness } from './liveness.ts';
import { FramePool } from './pool.ts';
import type { ByteSink, Clock, FrameSocket } from './ports.ts';
import { Session, SessionReset } from './session.ts';
import { StreamViolation } from './sender.ts';
import { Budget } from './window.ts';

export interface PumpOptions {
  readonly socket: FrameSocket;
  readonly source: AsyncIterable<Uint8Array>;
  readonly sink: ByteSink;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How a session whose socket was lost is taken up again; without it, it ends. */
  readonly redial?: Redial;
  /** What all sessions of this process share; without it, this one has all of it. */
  readonly budget?: Budget;
  /** Told of every buffer that came in. */
  readonly garbage?: Garbage;
}

/**
 * Resolves when both directions have ended and everything was acknowledged.
 * @throws {GolemError} `relay_failed` with the reason in every other case. Stops reading `source`
 * only when that next yields or is destroyed: the caller owns it, and ends it in either case.
 */
export async function pump(options: PumpOptions): Promise<void> {
  using running = new Running(options);
  await running.outcome;
}

class Running implements Disposable {
  readonly outcome: Promise<void>;
  readonly #options: PumpOptions;
  readonly #settled = Promise.withResolvers<void>();
  readonly #session: Session;
  readonly #lines: Lines;
  readonly #liveness: Liveness;
  readonly #pool = new FramePool();
  readonly #resources = new DisposableStack();
  #isSettled = false;
  #isDelivering = false;
  #wakeWriter: (() => void) | undefined;
  #cancelAck: (() => void) | undefined;
  #cancelCheck: (() => void) | undefined;

  constructor(options: PumpOptions) {
    const { socket, clock, signal, redial, budget = new Budget() } = options;
    this.#options = options;
    this.outcome = this.#settled.promise;
    this.#resources.use(budget.enter());
    this.#liveness = new Liveness(clock.now());
    this.#session = new Session({
      send: (frame) => this.#send(frame),
      now: clock.now,
      share: () => budget.share,
    });
    this.#lines = new Lines({
      ...{ timers: clock, signal },
      ...(redial === undefined ? {} : { redial }),
      message: (bytes) => this.#received(bytes),
      alive: () => this.#liveness.legHeard(clock.now()),
      parted: () => {
        this.#session.lost();
        this.#liveness.awaits(false, clock.now());
        this.#checkIn(undefined);
      },
      taken: (epoch) => {
        this.#liveness.restart(clock.now());
        this.#check();
        this.#session.resume(epoch);
      },
      lost: (reason, cause) => this.#fail(CLOSE.peerGone, reason, cause),
    });
    // Before the socket speaks: it may say at once that it is closed, and then lets go of this.
    const onAbort = () => {
      const reason: unknown = signal.reason;
      if (reason instanceof Ending) this.#fail(reason.close, reason.message, reason);
      else this.#fail(CLOSE.shutdown, 'The session was stopped on this side.', reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#resources.defer(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) {
      onAbort();
      const { code, reason } =
        signal.reason instanceof Ending
          ? { code: signal.reason.close.code, reason: closeReason(signal.reason.message) }
          : CLOSE.shutdown;
      socket.close(code, reason);
      return;
    }
    this.#check();
    this.#lines.first(socket);
    this.#write().catch((cause: unknown) =>
      this.#fail(CLOSE.guestGone, 'The sending program went away.', cause),
    );
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #send(frame: Frame): void {
    const buffer = this.#pool.take(frame.kind === 'data' ? frame.payload.length : 0);
    if (buffer) this.#lines.send(encodeFrame(frame, buffer), () => this.#pool.give(buffer));
    else this.#lines.send(encodeFrame(frame));
  }

  #received(bytes: Uint8Array): void {
    if (this.#isSettled) return;
    this.#options.garbage?.made(bytes.length);
    const session = this.#session;
    try {
      const wasUp = session.isUp;
      this.#liveness.peerHeard(this.#options.clock.now());
      session.receive(decodeFrame(bytes));
      if (!wasUp) this.#lines.up();
    } catch (error) {
      if (error instanceof SessionReset) {
        return this.#fail(CLOSE.peerGone, `The other end gave up: ${closeReason(error.message)}.`);
      }
      if (!(error instanceof FrameError) && !(error instanceof StreamViolation)) throw error;
      return this.#fail(
        error instanceof StreamViolation ? error.close : CLOSE.protocol,
        `The other end broke the protocol: ${error.message}.`,
        error,
      );
    }
    this.#wakeWriter?.();
    this.#owed();
    this.#finishIfDone();
    void this.#deliver();
  }

  /** Reads the source as fast as there is window, and no faster. */
  async #write(): Promise<void> {
    for await (let chunk of this.#options.source) {
      this.#options.garbage?.made(chunk.length);
      for (;;) {
        if (this.#isSettled) return;
        chunk = chunk.subarray(this.#session.write(chunk));
        this.#owed();
        if (chunk.length === 0) break;
        await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
        this.#wakeWriter = undefined;
      }
    }
    if (this.#isSettled) return;
    this.#session.end();
    this.#owed();
  }

  /** Hands the sink one chunk after the other until nothing waits. */
  async #deliver(): Promise<void> {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    const { sink } = this.#options;
    try {
      for (;;) {
        const next = this.#isSettled ? undefined : this.#session.take();
        if (next === undefined) return;
        if (next === 'end') await sink.end();
        else await sink.write(next);
        this.#delivered(next);
      }
    } catch (cause) {
      this.#fail(CLOSE.guestGone, 'The receiving program went away.', cause);
    } finally {
      this.#isDelivering = false;
    }
  }

  #delivered(what: Uint8Array | 'end'): void {
    if (this.#isSettled) return;
    if (this.#session.taken(what)) return this.#acknowledge();
    const { clock } = this.#options;
    this.#cancelAck ??= clock.after(LIMITS.relay.ackMillis, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#cancelAck?.();
    this.#cancelAck = undefined;
    this.#session.acknowledge();
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#session.isDone) this.#settle(1000, 'both sides have ended');
  }

  /** What the other end owes us has changed. */
  #owed(): void {
    if (this.#isSettled || !this.#session.isUp) return;
    if (this.#liveness.awaits(this.#session.isOwed, this.#options.clock.now())) this.#check();
  }

  #check(): void {
    const { lost, pingLeg, pingPeer, inMillis } = this.#liveness.check(this.#options.clock.now());
    if (lost) {
      const who = lost === 'leg' ? 'relay' : 'other end';
      return this.#lines.abandon(`nothing came from the ${who} for too long`);
    }
    this.#checkIn(inMillis);
    // Whoever has been silent so long can do without the memory of a transfer.
    if (pingLeg) {
      this.#pool.trim();
      this.#session.trim();
      this.#lines.ping();
    }
    if (pingPeer) this.#session.ping();
  }

  #checkIn(millis: number | undefined): void {
    this.#cancelCheck?.();
    this.#cancelCheck =
      millis === undefined ? undefined : this.#options.clock.after(millis, () => this.#check());
  }

  #fail(close: Close, reason: string, cause?: unknown): void {
    this.#settle(close.code, reason, new GolemError('relay_failed', reason, { cause }));
  }

  #settle(code: number, reason: string, failure?: GolemError): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#cancelAck?.();
    this.#checkIn(undefined);
    this.#wakeWriter?.();
    if (failure) this.#settled.reject(failure);
    else this.#settled.resolve();
    this.#lines.end(code, closeReason(reason));
  }
}
