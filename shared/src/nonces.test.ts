import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GolemError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { NonceMemory } from './nonces.ts';

const { clockSkewSeconds, noncesPerKey, noncesTotal } = LIMITS.signature;
const request = (keyId: string, nonce: string, expires: number) => ({ keyId, nonce, expires });

function outcome(act: () => void): string {
  try {
    act();
    return 'admitted';
  } catch (error) {
    if (error instanceof GolemError) return error.code;
    throw error;
  }
}

describe('a nonce', () => {
  test('is admitted once for each key', () => {
    const memory = new NonceMemory();
    memory.admit(request('a', 'n', 1060), 1000);
    expect(() => memory.admit(request('a', 'n', 1060), 1001)).toThrow(
      expect.objectContaining({ code: 'replayed' }),
    );
    expect(outcome(() => memory.admit(request('b', 'n', 1060), 1001))).toBe('admitted');
  });

  test('is remembered for as long as its signature is accepted on any clock', () => {
    const memory = new NonceMemory();
    memory.admit(request('a', 'n', 1060), 1000);
    const last = 1060 + clockSkewSeconds;
    expect(outcome(() => memory.admit(request('a', 'n', 1060), last))).toBe('replayed');
    expect(memory.size).toBe(1);
    memory.admit(request('b', 'n', last + 60), last + 1);
    expect(memory.size).toBe(1);
  });

  test('is forgotten in time on a clock that was set back', () => {
    const memory = new NonceMemory();
    memory.admit(request('a', 'n', 100_060), 100_000);
    memory.admit(request('a', 'm', 1060), 1000);
    memory.admit(request('b', 'n', 1260), 1200);
    expect(outcome(() => memory.admit(request('a', 'm', 1260), 1200))).toBe('admitted');
  });
});

describe('a flood', () => {
  test('of one key is refused, and evicts nothing', () => {
    const memory = new NonceMemory();
    for (let at = 0; at < noncesPerKey; at += 1) memory.admit(request('a', `${at}`, 1060), 1000);
    const refused = expect.objectContaining({ code: 'rate_limited', retryAfter: 60 });
    expect(() => memory.admit(request('a', 'one more', 1060), 1000)).toThrow(refused);
    expect(outcome(() => memory.admit(request('a', '0', 1060), 1000))).toBe('replayed');
    expect(outcome(() => memory.admit(request('b', 'n', 1060), 1000))).toBe('admitted');
  });

  test('of many keys is bounded in total, and over when they expire', () => {
    const memory = new NonceMemory();
    const keys = noncesTotal / noncesPerKey;
    for (let key = 0; key < keys; key += 1) {
      for (let at = 0; at < noncesPerKey; at += 1) {
        memory.admit(request(`k${key}`, `${at}`, 1060), 1000);
      }
    }
    expect(memory.size).toBe(noncesTotal);
    expect(outcome(() => memory.admit(request('b', 'n', 1060), 1000))).toBe('rate_limited');
    expect(memory.size).toBe(noncesTotal);
    expect(outcome(() => memory.admit(request('b', 'n', 1200), 1100))).toBe('admitted');
    expect(memory.size).toBe(1);
  });
});

test('no signature that would still verify is admitted twice: against a plain list', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    nonce: fc.constantFrom('1', '2', '3', '4'),
    life: fc.nat(LIMITS.signature.lifetimeSeconds),
    pause: fc.double({ min: 0, max: 40, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new NonceMemory();
      const admitted: { id: string; until: number }[] = [];
      let now = 1_000_000;
      for (const { key, nonce, life, pause } of steps) {
        now += pause;
        const id = `${key}/${nonce}`;
        const expires = Math.floor(now) + life;
        const live = admitted.filter((entry) => entry.id === id && entry.until >= now);
        const result = outcome(() => memory.admit(request(key, nonce, expires), now));
        if (live.length > 0) expect(result).toBe('replayed');
        if (result === 'admitted') admitted.push({ id, until: expires + clockSkewSeconds });
        // What is over is forgotten within a second of the next request.
        const remembered = admitted.filter(({ until }) => until >= now - 1);
        expect(memory.size).toBeLessThanOrEqual(remembered.length);
      }
    }),
  );
});
