/** What sessions are tested with: a clock, sockets, sources and sinks that do as they are told. */
import { decodeFrame, type Frame } from '../src/stream/frame.ts';
import type { ByteSink, FrameSocket } from '../src/stream/ports.ts';
import { pump, type PumpOptions } from '../src/stream/pump.ts';

interface Call {
  readonly milliseconds: number;
  readonly due: number;
  readonly call: () => void;
}

/** A clock that goes on, and timers that fire, when the test says so. */
export class Clock {
  readonly #calls = new Set<Call>();
  /** Milliseconds that were ever asked for. */
  readonly asked = new Set<number>();
  #time = 0;
  readonly now = () => this.#time;
  readonly after = (milliseconds: number, call: () => void) => {
    this.asked.add(milliseconds);
    const entry = { milliseconds, due: this.#time + milliseconds, call };
    this.#calls.add(entry);
    return () => this.#calls.delete(entry);
  };
  get pending(): number {
    return this.#calls.size;
  }
  /** Fires timers without letting time pass: those that were set for so many milliseconds. */
  fire(which: (milliseconds: number) => boolean = () => true): void {
    for (const entry of [...this.#calls]) {
      if (!which(entry.milliseconds)) continue;
      this.#calls.delete(entry);
      entry.call();
    }
  }
  /** Lets time pass, and everything happen at its time. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#time + milliseconds;
    for (;;) {
      await settled();
      const [next] = [...this.#calls].sort((a, b) => a.due - b.due);
      if (!next || next.due > end) break;
      this.#time = Math.max(this.#time, next.due);
      this.#calls.delete(next);
      next.call();
    }
    this.#time = end;
  }
}

type Handlers = Parameters<FrameSocket['listen']>[0];

/** One end of a WebSocket; whatever it sends is handed on in order, later. */
export class End implements FrameSocket {
  handlers: Handlers | undefined;
  readonly sent: Frame[] = [];
  /** Pings of the WebSocket protocol, which are answered while there is a peer. */
  pings = 0;
  dropped = false;
  closed: { code: number; reason: string } | undefined;
  peer: End | undefined;

  /** Sent before there was anybody at the other end. */
  readonly early: Uint8Array[] = [];

  send(frame: Uint8Array): void {
    if (this.closed) throw new Error('the socket is closed');
    const copy = frame.slice();
    this.sent.push(decodeFrame(copy));
    if (this.peer) this.peer.receive(copy);
    else this.early.push(copy);
  }
  receive(frame: Uint8Array): void {
    queueMicrotask(() => {
      if (!this.closed) this.handlers?.message(frame);
    });
  }
  ping(): void {
    this.pings += 1;
    queueMicrotask(() => {
      if (!this.closed && this.peer) this.handlers?.alive();
    });
  }
  drop(): void {
    this.dropped = true;
    this.closed ??= { code: 1006, reason: '' };
  }
  close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = { code, reason };
    queueMicrotask(() => {
      this.peer?.shut(code, reason);
      this.handlers?.closed(code, reason);
    });
  }
  shut(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = { code, reason };
    this.handlers?.closed(code, reason);
  }
  listen(handlers: Handlers): void {
    this.handlers = handlers;
  }
}

export function line(): [End, End] {
  const [near, far] = [new End(), new End()];
  near.peer = far;
  far.peer = near;
  return [near, far];
}

/** Takes bytes at once, or when it is opened. */
export class Sink implements ByteSink {
  readonly chunks: Buffer[] = [];
  ended = false;
  #gate: { readonly promise: Promise<void>; resolve(): void } | undefined;
  async write(bytes: Uint8Array): Promise<void> {
    await this.#gate?.promise;
    this.chunks.push(Buffer.from(bytes));
  }
  async end(): Promise<void> {
    this.ended = true;
  }
  shut(): void {
    let resolve = () => undefined as void;
    const promise = new Promise<void>((open) => (resolve = open));
    this.#gate = { promise, resolve };
  }
  open(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export async function* source(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
/** A source that never says anything more. */
export function silent(): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) };
}

export const bytes = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, at) => (at * seed + (at >> 8)) & 0xff);

/** Lets everything happen that needs no timer. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const session = (socket: FrameSocket, options: Partial<PumpOptions> = {}) =>
  pump({
    socket,
    source: silent(),
    sink: new Sink(),
    clock: new Clock(),
    signal: new AbortController().signal,
    ...options,
  });
