/** Sessions on lines that carry nothing though their sockets are open, and sessions that are idle. */
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import {
  bytes,
  Clock,
  End,
  line,
  session,
  settled,
  silent,
  Sink,
  source,
} from '../../test/session.ts';
import { encodeFrame } from './frame.ts';
import type { Redial } from './lines.ts';

const { busyPingSeconds, busyLostSeconds } = LIMITS.relay;
const CHECK = busyPingSeconds * 1000;

/** Lets `seconds` pass, with all that is due meanwhile. */
async function pass(clock: Clock, seconds: number): Promise<void> {
  await clock.advance(seconds * 1000);
}

test('an idle session sends no frame at all, for hours; its legs are pinged', async () => {
  const clock = new Clock();
  const [near, far] = line();
  const sink = new Sink();
  const both = Promise.all([
    session(near, { clock, source: once(bytes(5)) }),
    session(far, { clock, sink }),
  ]);
  await settled();
  await pass(clock, 60);
  expect(sink.bytes).toHaveLength(5);
  const frames = [near.sent.length, far.sent.length];
  const pings = [near.pings, far.pings];
  await pass(clock, 2 * 3600);
  expect([near.sent.length, far.sent.length]).toEqual(frames);
  for (const [at, end] of [near, far].entries()) {
    const an = (end.pings - (pings[at] ?? 0)) / 2;
    expect(an).toBeGreaterThan(3600 / LIMITS.control.silenceSeconds);
    expect(an).toBeLessThanOrEqual(3600 / LIMITS.control.pingSeconds);
  }
  near.close(1000, 'done');
  await expect(both).rejects.toMatchObject({ code: 'relay_failed' });
});

describe('a line on which nothing comes any more', () => {
  function redialTo(next: End): Redial {
    return { graceMillis: 120_000, random: () => 0, connect: async () => next };
  }

  test('is left by the end that waits for an acknowledgement, within 15 s', async () => {
    const clock = new Clock();
    const near = new End();
    const next = new End();
    const ended = session(near, { clock, source: once(bytes(5)), redial: redialTo(next) });
    await settled();
    await pass(clock, busyPingSeconds + 1);
    expect(near.sent.map(({ kind }) => kind)).toEqual(['data', 'ping']);
    expect(near.dropped).toBe(false);
    await pass(clock, busyLostSeconds - busyPingSeconds);
    expect(near.dropped).toBe(true);
    expect(next.sent[0]).toEqual({ kind: 'resume', offset: 0, epoch: 1 });
    next.handlers?.message(encodeFrame({ kind: 'resume', offset: 0, epoch: 1 }));
    expect(next.sent.at(-1)).toMatchObject({ kind: 'data', offset: 0 });
    next.close(1000, 'done');
    await expect(ended).rejects.toMatchObject({ code: 'relay_failed' });
  });

  test('is left also by the end that only receives', async () => {
    const clock = new Clock();
    const near = new End();
    const next = new End();
    const ended = session(near, { clock, redial: redialTo(next) });
    const frame = { kind: 'data', offset: 0, blocked: false, payload: bytes(5) } as const;
    near.handlers?.message(encodeFrame(frame));
    await pass(clock, busyLostSeconds + 1);
    expect(near.dropped).toBe(true);
    expect(near.sent.map(({ kind }) => kind)).toEqual(['ack']);
    next.close(1000, 'done');
    await expect(ended).rejects.toMatchObject({ code: 'relay_failed' });
  });

  test('is not left because the reader stops: the other end says that it is there', async () => {
    const clock = new Clock();
    const [near, far] = line();
    const sink = new Sink();
    sink.shut();
    const both = Promise.all([
      session(near, { clock, source: source(bytes(100_000)) }),
      session(far, { clock, sink }),
    ]);
    await pass(clock, 600);
    const pings = near.sent.filter(({ kind }) => kind === 'ping').length;
    expect(pings).toBeGreaterThan(600 / (CHECK / 1000) / 2);
    expect(near.dropped || far.dropped).toBe(false);
    sink.open();
    await pass(clock, 1);
    expect(sink.bytes).toHaveLength(100_000);
    near.close(1000, 'done');
    await expect(both).rejects.toMatchObject({ code: 'relay_failed' });
  });

  test('swallows dials, too: each is given up, the first ones soon', async () => {
    const clock = new Clock();
    const given: { readonly from: number; to?: number }[] = [];
    const redial: Redial = {
      graceMillis: 120_000,
      random: () => 0,
      connect: (signal) =>
        new Promise((_, reject) => {
          const dial: (typeof given)[number] = { from: clock.now() };
          given.push(dial);
          signal.addEventListener('abort', () => {
            dial.to = clock.now();
            reject(signal.reason as Error);
          });
        }),
    };
    const ended = session(new End(), { clock, source: once(bytes(5)), redial });
    ended.catch(() => undefined);
    await pass(clock, 60);
    expect(given.slice(0, 4).map(({ from, to = 0 }) => to - from)).toEqual([
      4_000, 8_000, 15_000, 15_000,
    ]);
    await pass(clock, 120);
    await expect(ended).rejects.toThrow('was lost, and not found again');
    expect(clock.pending).toBe(0);
  });

  test('ends a session that cannot be taken up again', async () => {
    const clock = new Clock();
    const ended = session(new End(), { clock, source: once(bytes(5)) });
    ended.catch(() => undefined);
    await pass(clock, busyLostSeconds + 1);
    await expect(ended).rejects.toThrow('nothing came from the relay for too long');
    expect(clock.pending).toBe(0);
  });
});

/** Some bytes, and then nothing more. */
async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
  yield* silent();
}
