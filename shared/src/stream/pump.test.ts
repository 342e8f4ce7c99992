/** Whole sessions: two pumps and the line between them, or one pump and a peer that we play. */
import { describe, expect, test } from 'vitest';
import { CLOSE, Ending } from '../closes.ts';
import { LIMITS } from '../limits.ts';
import { bytes, Clock, line, session, settled, Sink, source } from '../../test/session.ts';
import { encodeFrame, type Frame } from './frame.ts';
import type { ByteSink } from './ports.ts';

const { windowBytes, ackMillis, busyPingSeconds } = LIMITS.relay;

const failed = { name: 'GolemError', code: 'relay_failed' };

describe('two ends', () => {
  test('carry more than a window both ways, byte for byte, and close when both have ended', async () => {
    const [near, far] = line();
    const [there, back] = [bytes(3 * windowBytes + 17, 7), bytes(2 * windowBytes + 5, 3)];
    const sinks = [new Sink(), new Sink()] as const;
    const clock = new Clock();
    const both = Promise.all([
      session(near, { source: source(there), sink: sinks[0], clock }),
      session(far, {
        source: source(back.subarray(0, 9), back.subarray(9)),
        sink: sinks[1],
        clock,
      }),
    ]);
    for (let turn = 0; turn < 50 && !near.closed; turn += 1) {
      await settled();
      clock.fire();
    }
    await both;
    expect(Buffer.compare(sinks[1].bytes, there)).toBe(0);
    expect(Buffer.compare(sinks[0].bytes, back)).toBe(0);
    expect(sinks.map(({ ended }) => ended)).toEqual([true, true]);
    expect(near.closed?.code).toBe(1000);
    expect(clock.pending).toBe(0);
    expect([...clock.asked].sort()).toEqual([ackMillis, busyPingSeconds * 1000]);
  });

  test('end one direction and go on with the other', async () => {
    const [near, far] = line();
    const clock = new Clock();
    const answer = Promise.withResolvers<Uint8Array>();
    const sink = new Sink();
    const farSink = new Sink();
    const both = Promise.all([
      session(near, { source: source(bytes(10)), sink, clock }),
      session(far, {
        source: (async function* () {
          yield await answer.promise;
        })(),
        sink: farSink,
        clock,
      }),
    ]);
    await settled();
    expect(farSink.ended).toBe(true);
    expect(near.closed).toBeUndefined();
    answer.resolve(bytes(20));
    await settled();
    clock.fire();
    await both;
    expect(sink.bytes).toHaveLength(20);
  });
});

describe('a slow sink', () => {
  test('pauses the source at one window, and loses nothing', async () => {
    const [near, far] = line();
    const clock = new Clock();
    let pulled = 0;
    const pulls = async function* () {
      for (let chunk = 0; chunk < 64; chunk += 1) {
        pulled += windowBytes / 16;
        yield bytes(windowBytes / 16, chunk + 1);
      }
    };
    const sink = new Sink();
    sink.shut();
    const both = Promise.all([
      session(near, { source: pulls(), clock }).catch((error: unknown) => error),
      session(far, { sink, clock }).catch((error: unknown) => error),
    ]);
    await settled();
    clock.fire();
    await settled();
    const sentBytes = near.sent.reduce(
      (sum, frame) => sum + (frame.kind === 'data' ? frame.payload.length : 0),
      0,
    );
    expect(sentBytes).toBe(windowBytes);
    expect(pulled).toBeLessThanOrEqual(windowBytes + windowBytes / 16);
    sink.open();
    for (let turn = 0; turn < 50 && !sink.ended; turn += 1) {
      await settled();
      clock.fire();
    }
    expect(sink.bytes).toHaveLength(4 * windowBytes);
    near.close(1000, '');
    await both;
  });
});

describe('a peer', () => {
  test.each<[string, Frame | Uint8Array, number]>([
    ['that sends what is no frame', new Uint8Array([99]), CLOSE.protocol.code],
    [
      'that leaves a gap',
      { kind: 'data', offset: 5, blocked: false, payload: bytes(1) },
      CLOSE.protocol.code,
    ],
    [
      'that acknowledges what was never sent',
      { kind: 'ack', offset: 1, window: 0 },
      CLOSE.protocol.code,
    ],
    [
      'that takes a session up in its middle',
      { kind: 'resume', offset: 0, epoch: 1 },
      CLOSE.protocol.code,
    ],
    ['that gives up', { kind: 'reset', offset: 0, code: 1, reason: 'bored' }, CLOSE.peerGone.code],
  ])('%s is cut off with a reason', async (_, frame, code) => {
    const [near, far] = line();
    const ended = session(near);
    far.listen({ message: () => undefined, alive: () => undefined, closed: () => undefined });
    near.handlers?.message(frame instanceof Uint8Array ? frame : encodeFrame(frame));
    await expect(ended).rejects.toMatchObject(failed);
    expect(near.closed?.code).toBe(code);
    expect(near.closed?.reason).not.toBe('');
  });

  test('that sends past the window is cut off before the sink sees it', async () => {
    const [near] = line();
    const sink = new Sink();
    sink.shut();
    const ended = session(near, { sink });
    const payload = bytes(32 * 1024);
    const count = windowBytes / payload.length;
    for (let at = 0; at <= count; at += 1) {
      const offset = at * payload.length;
      near.handlers?.message(encodeFrame({ kind: 'data', offset, blocked: false, payload }));
    }
    await expect(ended).rejects.toThrow('more bytes than the window allowed');
  });

  test('that asks whether we are there is answered', async () => {
    const [near, far] = line();
    const ended = session(near).catch((error: unknown) => error);
    near.handlers?.message(encodeFrame({ kind: 'ping', offset: 42 }));
    near.handlers?.message(encodeFrame({ kind: 'probe', offset: 43 }));
    expect(near.sent).toEqual([
      { kind: 'pong', offset: 42 },
      { kind: 'probe', offset: 43 },
    ]);
    far.close(1000, '');
    await ended;
  });
});

describe('a session ends', () => {
  test('with the reason of the relay', async () => {
    const [near, far] = line();
    const ended = session(near);
    far.close(CLOSE.unpaired.code, CLOSE.unpaired.reason);
    await expect(ended).rejects.toMatchObject(failed);
    await expect(ended).rejects.toThrow(CLOSE.unpaired.reason);
  });

  test('when it is stopped, also before it began', async () => {
    const stop = new AbortController();
    const [near] = line();
    const ended = session(near, { signal: stop.signal });
    stop.abort();
    await expect(ended).rejects.toMatchObject(failed);
    expect(near.closed?.code).toBe(CLOSE.shutdown.code);
    const [late] = line();
    await expect(session(late, { signal: AbortSignal.abort() })).rejects.toMatchObject(failed);
  });

  test('for a reason, which the other end is told', async () => {
    const why = new Ending(CLOSE.revoked, 'no more of this');
    const told = { code: CLOSE.revoked.code, reason: 'no more of this' };
    const stop = new AbortController();
    const [near] = line();
    const ended = session(near, { signal: stop.signal });
    stop.abort(why);
    await expect(ended).rejects.toMatchObject({ code: 'relay_failed', message: told.reason });
    expect(near.closed).toEqual(told);
    const [late] = line();
    await expect(session(late, { signal: AbortSignal.abort(why) })).rejects.toThrow(told.reason);
    expect(late.closed).toEqual(told);
  });

  test('when the source fails, and when the sink does', async () => {
    const [near] = line();
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes(1);
      throw new Error('disk on fire');
    };
    await expect(session(near, { source: broken() })).rejects.toMatchObject(failed);
    expect(near.closed?.code).toBe(CLOSE.guestGone.code);

    const [other] = line();
    const sink: ByteSink = {
      write: async () => {
        throw new Error('EPIPE');
      },
      end: async () => undefined,
    };
    const ended = session(other, { sink });
    other.handlers?.message(
      encodeFrame({ kind: 'data', offset: 0, blocked: false, payload: bytes(1) }),
    );
    await expect(ended).rejects.toMatchObject(failed);
    expect(other.closed?.code).toBe(CLOSE.guestGone.code);
  });
});
