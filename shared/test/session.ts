/** What sessions are tested with: a clock, sockets, sources and sinks that do as they are told. */
import { decodeFrame, type Frame } from '../src/stream/frame.ts';
import { pump, type ByteSink, type FrameSocket, type PumpOptions } from '../src/stream/pump.ts';

/** Timers that fire when the test says so. */
export class Clock {
  readonly #calls = new Map<() => void, number>();
  /** Milliseconds that were ever asked for. */
  readonly asked = new Set<number>();
  readonly after = (milliseconds: number, call: () => void) => {
    this.asked.add(milliseconds);
    this.#calls.set(call, milliseconds);
    return () => this.#calls.delete(call);
  };
  get pending(): number {
    return this.#calls.size;
  }
  fire(which: (milliseconds: number) => boolean = () => true): void {
    for (const [call, milliseconds] of [...this.#calls]) {
      if (!which(milliseconds)) continue;
      this.#calls.delete(call);
      call();
    }
  }
}

type Handlers = Parameters<FrameSocket['listen']>[0];

/** One end of a WebSocket; whatever it sends is handed on in order, later. */
export class End implements FrameSocket {
  handlers: Handlers | undefined;
  readonly sent: Frame[] = [];
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
    timers: new Clock(),
    signal: new AbortController().signal,
    ...options,
  });
