/**
 * Runs one stream session between a byte source and sink on this side and frame sockets to the
 * relay, one after the other. Knows neither Node nor sockets: agent and CLI hand in thin adapters.
 */
import { CLOSE, closeReason, type Close } from '../closes.ts';
import { GolemError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { Backlog } from './backlog.ts';
import { Lines, type Redial } from './lines.ts';
import { decodeFrame, encodeFrame, FrameError, type Frame } from './frame.ts';
import { Receiver } from './receiver.ts';
import { Sender, StreamViolation } from './sender.ts';

/** A WebSocket that is open, as far as a session needs it. */
export interface FrameSocket {
  send(frame: Uint8Array): void;
  /** Never throws, whatever became of the socket. `reason` is 123 bytes at most. */
  close(code: number, reason: string): void;
  /** The handlers are set once, before any message can arrive. */
  listen(handlers: {
    readonly message: (frame: Uint8Array) => void;
    readonly closed: (code: number, reason: string) => void;
  }): void;
}

export interface ByteSink {
  /** Resolves when the bytes were taken; the session holds at most one window of them meanwhile. */
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

export interface Timers {
  /** @returns a function that cancels the call. */
  after(milliseconds: number, call: () => void): () => void;
}

export interface PumpOptions {
  readonly socket: FrameSocket;
  readonly source: AsyncIterable<Uint8Array>;
  readonly sink: ByteSink;
  readonly timers: Timers;
  readonly signal: AbortSignal;
  /** How a session whose socket was lost is taken up again; without it, it ends. */
  readonly redial?: Redial;
}

/**
 * Resolves when both directions have ended and everything was acknowledged.
 * @throws {GolemError} `relay_failed` with the reason in every other case. Stops reading `source`
 * only when that next yields or is destroyed: the caller owns it, and ends it in either case.
 */
export async function pump(options: PumpOptions): Promise<void> {
  const { socket, source, sink, timers, signal, redial } = options;
  const sender = new Sender();
  const receiver = new Receiver();
  const outcome = Promise.withResolvers<void>();
  let settled = false;
  let wakeWriter: (() => void) | undefined;
  let cancelAck: (() => void) | undefined;
  const backlog = new Backlog();
  let delivering = false;
  let endDelivered = false;

  const settle = (close: Close | { code: number; reason: string }, failure?: GolemError) => {
    if (settled) return;
    settled = true;
    cancelAck?.();
    wakeWriter?.();
    signal.removeEventListener('abort', onAbort);
    if (failure) outcome.reject(failure);
    else outcome.resolve();
    lines.end(close.code, closeReason(close.reason));
  };
  const fail = (close: Close, reason: string, cause?: unknown) =>
    settle({ code: close.code, reason }, new GolemError('relay_failed', reason, { cause }));
  const onAbort = () =>
    fail(CLOSE.shutdown, 'The session was stopped on this side.', signal.reason);

  const lines: Lines = new Lines({
    ...{ timers, signal },
    ...(redial === undefined ? {} : { redial }),
    message: (bytes) => {
      try {
        onFrame(decodeFrame(bytes));
      } catch (error) {
        if (!(error instanceof FrameError) && !(error instanceof StreamViolation)) throw error;
        fail(CLOSE.protocol, `The other end broke the protocol: ${error.message}.`, error);
      }
    },
    // What waits for the sink came in before, and is not lost with the socket that brought it.
    taken: (epoch) => {
      lines.send(encodeFrame(receiver.resume(epoch)));
      acknowledge();
    },
    lost: (reason, cause) => fail(CLOSE.peerGone, reason, cause),
  });
  const send = (frame: Frame) => {
    if (settled) return;
    // Until the other end has said where it is, what is sent is kept, and goes out after that.
    if (!lines.isUp && (frame.kind === 'data' || frame.kind === 'fin')) return;
    lines.send(encodeFrame(frame));
  };
  const finishIfDone = () => {
    if (sender.done && receiver.done) settle({ code: 1000, reason: 'both sides have ended' });
  };
  const acknowledge = () => {
    cancelAck?.();
    cancelAck = undefined;
    const ack = receiver.acknowledge();
    if (ack) send(ack);
    finishIfDone();
  };
  const delivered = (length: number) => {
    if (settled) return;
    if (receiver.delivered(length)) acknowledge();
    else cancelAck ??= timers.after(LIMITS.relay.ackMillis, acknowledge);
  };
  /** Hands the sink one chunk after the other until nothing waits. */
  const deliver = async () => {
    if (delivering) return;
    delivering = true;
    try {
      for (;;) {
        if (settled) return;
        const chunk = backlog.take();
        if (chunk) {
          await sink.write(chunk);
          delivered(chunk.length);
        } else if (receiver.finished && !endDelivered) {
          endDelivered = true;
          await sink.end();
          delivered(1);
        } else {
          return;
        }
      }
    } catch (cause) {
      fail(CLOSE.guestGone, 'The receiving program went away.', cause);
    } finally {
      delivering = false;
    }
  };

  const resumed = (offset: number) => {
    const again = sender.resumed(offset);
    lines.up();
    for (const frame of again) send(frame);
  };

  const onFrame = (frame: Frame) => {
    if (!lines.isUp && frame.kind !== 'resume') {
      throw new StreamViolation(`${frame.kind} before the session was taken up`);
    }
    switch (frame.kind) {
      case 'data':
        receiver.data(frame.offset, frame.payload.length);
        backlog.add(frame.payload);
        return void deliver();
      case 'fin':
        receiver.fin(frame.offset);
        return void deliver();
      case 'ack':
        sender.acknowledged(frame.offset, frame.window);
        wakeWriter?.();
        return finishIfDone();
      case 'ping':
        return send({ kind: 'pong', offset: frame.offset });
      case 'probe':
        return send(frame);
      case 'reset':
        return fail(
          CLOSE.peerGone,
          `The other end gave up: ${closeReason(frame.reason) || `code ${frame.code}`}.`,
        );
      case 'pong':
        return undefined;
      case 'resume':
        if (lines.isUp) throw new StreamViolation('resume in the middle of a session');
        return resumed(frame.offset);
    }
  };

  // Before the socket speaks: it may say at once that it is closed, and then lets go of the signal.
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  if (!settled) lines.first(socket);
  else socket.close(CLOSE.shutdown.code, CLOSE.shutdown.reason);
  const write = async () => {
    for await (let chunk of source) {
      while (chunk.length > 0) {
        if (settled) return;
        const room = sender.writable;
        if (room === 0) {
          await new Promise<void>((resolve) => (wakeWriter = resolve));
          wakeWriter = undefined;
          continue;
        }
        for (const frame of sender.data(chunk.subarray(0, room))) send(frame);
        chunk = chunk.subarray(room);
      }
    }
    if (!settled) send(sender.fin());
  };
  if (!settled) {
    write().catch((cause: unknown) =>
      fail(CLOSE.guestGone, 'The sending program went away.', cause),
    );
  }

  await outcome.promise;
}
