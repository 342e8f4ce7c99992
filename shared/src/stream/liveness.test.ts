import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { Liveness } from './liveness.ts';

const BUSY_PING = LIMITS.relay.busyPingSeconds * 1000;
const BUSY_LOST = LIMITS.relay.busyLostSeconds * 1000;
const IDLE_PING = LIMITS.control.pingSeconds * 1000;
const IDLE_LOST = LIMITS.control.silenceSeconds * 1000;
/** Long enough after the last frame to be idle. */
const IDLE = 10 * BUSY_LOST;

describe('a session in use', () => {
  test('is pinged on both stretches after a while of silence, and then taken for lost', () => {
    const liveness = new Liveness(0);
    expect(liveness.awaits(true, 1000)).toBe(true);
    expect(liveness.check(1000 + BUSY_PING - 1)).toMatchObject({ pingLeg: false, pingPeer: false });
    expect(liveness.check(1000 + BUSY_PING)).toEqual({
      ...{ pingLeg: true, pingPeer: true, inMillis: BUSY_PING },
    });
    expect(liveness.check(1000 + BUSY_LOST - 1).lost).toBeUndefined();
    expect(liveness.check(1000 + BUSY_LOST).lost).toBe('leg');
  });

  test('is lost when the relay is there and the other end is not', () => {
    const liveness = new Liveness(0);
    liveness.awaits(true, 0);
    liveness.legHeard(BUSY_LOST - 1);
    expect(liveness.check(BUSY_LOST)).toMatchObject({ lost: 'peer', pingLeg: false });
  });

  test('is not lost while the other end answers, however long it takes no bytes', () => {
    const liveness = new Liveness(0);
    liveness.awaits(true, 0);
    for (let now = 0; now < 100 * BUSY_LOST; now += BUSY_PING) {
      expect(liveness.check(now).lost).toBeUndefined();
      liveness.peerHeard(now);
    }
  });

  test('watches its leg soon also when it only receives', () => {
    const liveness = new Liveness(0);
    liveness.peerHeard(100);
    expect(liveness.check(100 + BUSY_PING)).toMatchObject({ pingLeg: true, pingPeer: false });
    expect(liveness.check(100 + BUSY_LOST).lost).toBe('leg');
  });
});

describe('an idle session', () => {
  test('never asks anything of the other end, and now and then of its leg', () => {
    const liveness = new Liveness(0);
    liveness.legHeard(IDLE);
    expect(liveness.check(IDLE + IDLE_PING - 1)).toMatchObject({ pingLeg: false });
    expect(liveness.check(IDLE + IDLE_PING)).toEqual({
      ...{ pingLeg: true, pingPeer: false, inMillis: IDLE_PING },
    });
    expect(liveness.check(IDLE + IDLE_LOST - 1).lost).toBeUndefined();
    expect(liveness.check(IDLE + IDLE_LOST).lost).toBe('leg');
  });

  test('that is used again gives the line the whole time to answer', () => {
    const liveness = new Liveness(0);
    liveness.legHeard(IDLE);
    const now = IDLE + IDLE_LOST - 1;
    expect(liveness.awaits(true, now)).toBe(true);
    expect(liveness.check(now)).toMatchObject({ pingLeg: false, pingPeer: false });
    expect(liveness.check(now + BUSY_LOST - 1).lost).toBeUndefined();
    expect(liveness.check(now + BUSY_LOST).lost).toBeDefined();
  });
});

test('on another socket the time begins anew', () => {
  const liveness = new Liveness(0);
  liveness.awaits(true, 0);
  liveness.awaits(false, 10);
  liveness.restart(BUSY_LOST);
  expect(liveness.check(BUSY_LOST + 1)).toMatchObject({ pingLeg: false, pingPeer: false });
  expect(liveness.check(2 * BUSY_LOST).lost).toBe('leg');
});

test('whatever happens, who looks when told to finds a dead line within its bound', () => {
  const event = fc.record({
    what: fc.constantFrom('leg', 'peer', 'owed', 'paid'),
    after: fc.nat(60_000),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const liveness = new Liveness(0);
      let now = 0;
      for (const { what, after } of events) {
        now += after;
        if (what === 'leg') liveness.legHeard(now);
        else if (what === 'peer') liveness.peerHeard(now);
        else liveness.awaits(what === 'owed', now);
      }
      const silentSince = now;
      for (;;) {
        const { lost, inMillis } = liveness.check(now);
        if (lost) break;
        expect(inMillis).toBeGreaterThan(0);
        now += inMillis;
      }
      expect(now - silentSince).toBeLessThanOrEqual(IDLE_LOST + 2 * BUSY_LOST);
    }),
  );
});
