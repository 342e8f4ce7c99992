/**
 * The sockets of one session: one at a time, each heard only while it is the newest. When it is
 * lost another one is dialled, until the grace is over.
 */
import { backoffMillis } from '../backoff.ts';
import { CLOSE, closeReason } from '../closes.ts';
import { GolemError } from '../errors.ts';
import type { FrameSocket, Timers } from './ports.ts';

export interface Redial {
  /** Opens another socket to the same session. @throws {GolemError} retryable, or the last word */
  readonly connect: (signal: AbortSignal) => Promise<FrameSocket>;
  /** How long the session may be without a socket on which both ends have met. */
  readonly graceMillis: number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface LinesOptions {
  readonly timers: Timers;
  readonly signal: AbortSignal;
  readonly redial?: Redial;
  readonly message: (bytes: Uint8Array) => void;
  /** The relay's end of the socket has answered a ping. */
  readonly alive: () => void;
  /** The socket is gone, and another one is looked for. */
  readonly parted: () => void;
  /** Another socket is open: what is to be said first, and as which one it is. */
  readonly taken: (epoch: number) => void;
  /** The session cannot go on. */
  readonly lost: (reason: string, cause?: unknown) => void;
}

const BACKOFF = { firstMillis: 250, capMillis: 5_000 } as const;
/**
 * What a try may take: a relay answers at once, so that silence means a line that carries nothing,
 * unless it is a very slow one.
 */
const PATIENCE = { firstMillis: 4_000, capMillis: 15_000 } as const;

/** Sockets that are closed so were lost; every other close is somebody's decision. */
const LOST: ReadonlySet<number> = new Set([1001, 1005, 1006, 1011, 1012, CLOSE.parted.code]);

export class Lines {
  readonly #options: LinesOptions;
  readonly #stop = new AbortController();
  #current: FrameSocket | undefined;
  #isEnded = false;
  #epoch = 0;
  #tries = 0;
  #cancelGrace: (() => void) | undefined;
  #cancelTry: (() => void) | undefined;

  constructor(options: LinesOptions) {
    this.#options = options;
  }

  /** The socket that the session begins on; there is nothing to take up yet. */
  first(socket: FrameSocket): void {
    this.#current = socket;
    this.#listen(socket);
  }

  /** The other end has taken the session up as well. */
  up(): void {
    this.#tries = 0;
    this.#cancelGrace?.();
    this.#cancelGrace = undefined;
  }

  /** Dropped where there is no socket: whatever matters is sent again on the next. */
  send(frame: Uint8Array, left?: () => void): void {
    const socket = this.#current;
    try {
      socket?.send(frame, left);
    } catch (cause) {
      if (socket) this.#lose(socket, 1006, '', cause);
    }
  }

  ping(): void {
    this.#current?.ping();
  }

  /** Nothing comes over the current socket any more, though it is open. */
  abandon(reason: string): void {
    const socket = this.#current;
    if (!socket) return;
    socket.drop();
    this.#lose(socket, 1006, reason);
  }

  end(code: number, reason: string): void {
    this.#isEnded = true;
    this.#stop.abort();
    this.#cancelGrace?.();
    this.#cancelTry?.();
    this.#current?.close(code, reason);
    this.#current = undefined;
  }

  #listen(socket: FrameSocket): void {
    socket.listen({
      message: (bytes) => {
        if (this.#current === socket) this.#options.message(bytes);
      },
      alive: () => {
        if (this.#current === socket) this.#options.alive();
      },
      closed: (code, reason) => this.#lose(socket, code, reason),
    });
  }

  #lose(socket: FrameSocket, code: number, reason: string, cause?: unknown): void {
    if (this.#current !== socket) return;
    this.#current = undefined;
    const { redial, timers, lost, parted } = this.#options;
    const why = describeClose(code, reason);
    if (!redial || !LOST.has(code)) return lost(`The relay closed the connection${why}.`, cause);
    this.#cancelGrace ??= timers.after(redial.graceMillis, () =>
      lost(`The connection to the relay was lost, and not found again${why}.`, cause),
    );
    parted();
    this.#tryLater(redial);
  }

  #tryLater(redial: Redial): void {
    const tries = this.#tries++;
    const millis = tries === 0 ? 0 : backoffMillis(tries, redial.random, BACKOFF);
    const patience = Math.min(PATIENCE.capMillis, PATIENCE.firstMillis * 2 ** Math.min(tries, 8));
    this.#cancelTry = this.#options.timers.after(millis, () => void this.#try(redial, patience));
  }

  async #try(redial: Redial, patienceMillis: number): Promise<void> {
    const late = new AbortController();
    const cancelLate = this.#options.timers.after(patienceMillis, () =>
      late.abort(new GolemError('relay_failed', 'The relay did not answer in time.')),
    );
    const { signal } = this.#options;
    let socket;
    try {
      socket = await redial.connect(AbortSignal.any([signal, this.#stop.signal, late.signal]));
    } catch (error) {
      if (this.#isEnded) return;
      if (error instanceof GolemError && error.retryable) return this.#tryLater(redial);
      return this.#options.lost('The session cannot be taken up again.', error);
    } finally {
      cancelLate();
    }
    if (this.#isEnded) return socket.close(CLOSE.shutdown.code, CLOSE.shutdown.reason);
    this.#current = socket;
    // First of all: what has come meanwhile is answered only after that.
    this.#options.taken((this.#epoch += 1));
    if (this.#current === socket) this.#listen(socket);
  }
}

function describeClose(code: number, reason: string): string {
  if (reason) return `: ${closeReason(reason).replace(/\.$/, '')}`;
  return code === 1006 ? ' without a close' : ` (${code})`;
}
