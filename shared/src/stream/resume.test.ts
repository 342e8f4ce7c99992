/** Sessions whose sockets are lost: taken up again, byte for byte, or given up with a reason. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CLOSE } from '../closes.ts';
import { GolemError } from '../errors.ts';
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

const { windowBytes, busyPingSeconds } = LIMITS.relay;
const GRACE = 120_000;
/** How soon the line is looked after, which these tests leave alone. */
/** What each dial may take, in milliseconds. */
const PATIENCE = [4_000, 8_000, 15_000];
const CHECK = busyPingSeconds * 1000;

/** A relay between two parties, each with a socket or without. */
class Relay {
  #waiting: End | undefined;
  #pair: [End, End] | undefined;
  dials = 0;

  /** Closes both sockets as a lost connection does, or as the relay does when one is lost. */
  drop(code = 1006): void {
    const pair = this.#pair;
    this.#pair = undefined;
    for (const end of pair ?? []) {
      end.peer = undefined;
      end.shut(code, '');
    }
  }

  begin(): [End, End] {
    this.#pair = line();
    return this.#pair;
  }

  readonly redial: Redial = {
    graceMillis: GRACE,
    random: () => 0,
    connect: async () => {
      this.dials += 1;
      const end = new End();
      const first = this.#waiting;
      if (!first) {
        this.#waiting = end;
        return end;
      }
      this.#waiting = undefined;
      end.peer = first;
      first.peer = end;
      this.#pair = [first, end];
      for (const early of first.early.splice(0)) end.receive(early);
      return end;
    },
  };
}

async function until(done: () => boolean, clock: Clock): Promise<void> {
  for (let turn = 0; turn < 500 && !done(); turn += 1) {
    await settled();
    clock.fire((millis) => millis < GRACE);
  }
}

test('what is lost on the way is sent again: every byte arrives once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(3 * windowBytes),
      fc.nat(2 * windowBytes),
      fc.array(fc.nat(12), { maxLength: 8 }),
      async (there, back, drops) => {
        const relay = new Relay();
        const clock = new Clock();
        const [near, far] = relay.begin();
        const [nearSink, farSink] = [new Sink(), new Sink()];
        const sent = [bytes(there, 7), bytes(back, 3)] as const;
        const common = { clock, redial: relay.redial };
        const both = Promise.all([
          session(near, { ...common, source: source(sent[0]), sink: nearSink }),
          session(far, { ...common, source: source(sent[1]), sink: farSink }),
        ]);
        both.catch(() => undefined);
        for (const turns of drops) {
          for (let turn = 0; turn < turns; turn += 1) await settled();
          relay.drop();
          clock.fire((millis) => millis < GRACE);
        }
        await until(() => nearSink.ended && farSink.ended, clock);
        expect(Buffer.compare(farSink.bytes, sent[0])).toBe(0);
        expect(Buffer.compare(nearSink.bytes, sent[1])).toBe(0);
      },
    ),
    { numRuns: 40 },
  );
});

describe('a session that lost its socket', () => {
  test('tells where it is before anything else, and sends nothing until the other end has', async () => {
    const relay = new Relay();
    const clock = new Clock();
    const [near, far] = relay.begin();
    const next = new End();
    const ended = session(near, {
      clock,
      source: source(bytes(100)),
      redial: { ...relay.redial, connect: async () => next },
    });
    await settled();
    near.handlers?.message(
      encodeFrame({ kind: 'data', offset: 0, blocked: false, payload: bytes(10) }),
    );
    expect(far.closed).toBeUndefined();
    near.shut(1006, '');
    clock.fire((millis) => millis < GRACE);
    await settled();
    expect(next.sent[0]).toEqual({ kind: 'resume', offset: 10, epoch: 1 });
    expect(next.sent.filter(({ kind }) => kind === 'data')).toEqual([]);
    next.handlers?.message(encodeFrame({ kind: 'resume', offset: 40, epoch: 1 }));
    const data = next.sent.flatMap((frame) => (frame.kind === 'data' ? [frame] : []));
    expect(data[0]?.offset).toBe(40);
    expect(Buffer.concat(data.map(({ payload }) => payload))).toHaveLength(60);
    next.close(1000, '');
    await expect(ended).rejects.toBeInstanceOf(GolemError);
  });

  test('tells where it is also before it answers what has come already', async () => {
    const clock = new Clock();
    const [near] = line();
    class Eager extends End {
      override listen(handlers: Parameters<End['listen']>[0]): void {
        super.listen(handlers);
        handlers.message(encodeFrame({ kind: 'resume', offset: 0, epoch: 1 }));
      }
    }
    const next = new Eager();
    const ended = session(near, {
      clock,
      source: source(bytes(100)),
      redial: { graceMillis: GRACE, random: () => 0, connect: async () => next },
    });
    await settled();
    near.shut(1006, '');
    clock.fire((millis) => millis < GRACE);
    await settled();
    expect(next.sent.map(({ kind }) => kind)).toEqual(['resume', 'ack', 'data', 'fin']);
    next.close(1000, '');
    await expect(ended).rejects.toBeInstanceOf(GolemError);
  });

  test('is given up when the grace is over, and not before', async () => {
    const clock = new Clock();
    const [near] = line();
    const offline = new GolemError('relay_failed');
    const connect = async () => {
      throw offline;
    };
    const ended = session(near, {
      clock,
      redial: { graceMillis: GRACE, random: () => 0.5, connect },
    });
    ended.catch(() => undefined);
    near.shut(1006, '');
    for (let tries = 0; tries < 10; tries += 1) {
      clock.fire((millis) => millis < GRACE);
      await settled();
    }
    expect(clock.pending).toBeGreaterThan(0);
    const waits = [...clock.asked].filter((ms) => ![CHECK, ...PATIENCE].includes(ms));
    const [grace, longest] = waits.sort((a, b) => b - a);
    expect([grace, longest]).toEqual([GRACE, 2500]);
    clock.fire((millis) => millis === GRACE);
    await expect(ended).rejects.toThrow('not found again');
    expect(clock.pending).toBe(0);
  });

  test('is given up at once when the relay knows it no more', async () => {
    const clock = new Clock();
    const [near] = line();
    const connect = async () => {
      throw new GolemError('session_not_found');
    };
    const ended = session(near, {
      clock,
      redial: { graceMillis: GRACE, random: () => 0, connect },
    });
    near.shut(1006, '');
    clock.fire((millis) => millis < GRACE);
    await expect(ended).rejects.toThrow('cannot be taken up again');
    expect(clock.pending).toBe(0);
  });

  test.each([1000, CLOSE.protocol.code, CLOSE.peerGone.code, CLOSE.guestGone.code])(
    'by a close that somebody decided, %i, is over',
    async (code) => {
      const relay = new Relay();
      const [near, far] = relay.begin();
      const ended = session(near, { redial: relay.redial });
      far.close(code, 'enough');
      await expect(ended).rejects.toThrow('enough');
      expect(relay.dials).toBe(0);
    },
  );

  test('lets go of a socket that comes when nobody waits any more', async () => {
    const clock = new Clock();
    const stop = new AbortController();
    const [near] = line();
    const late = Promise.withResolvers<End>();
    const ended = session(near, {
      clock,
      source: silent(),
      signal: stop.signal,
      redial: { graceMillis: GRACE, random: () => 0, connect: () => late.promise },
    });
    near.shut(1006, '');
    clock.fire((millis) => millis < GRACE);
    stop.abort();
    await expect(ended).rejects.toMatchObject({ code: 'relay_failed' });
    const socket = new End();
    late.resolve(socket);
    await settled();
    expect(socket.closed?.code).toBe(CLOSE.shutdown.code);
    expect(clock.pending).toBe(0);
  });
});
