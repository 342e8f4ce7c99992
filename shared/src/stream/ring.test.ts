import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ring } from './ring.ts';

const byteAt = (offset: number) => (offset * 31 + (offset >> 8)) & 0xff;
const bytesFrom = (offset: number, length: number) =>
  Uint8Array.from({ length }, (_, at) => byteAt(offset + at));

test('what was put in comes out again, from anywhere, any number of times', () => {
  const capacity = 50_000;
  const step = fc.record({
    kind: fc.constantFrom('append', 'release', 'read'),
    size: fc.nat(20_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ring = new Ring(capacity);
      for (const { kind, size } of steps) {
        const { start, end } = ring;
        if (kind === 'append')
          ring.append(bytesFrom(end, Math.min(size, capacity - (end - start))));
        if (kind === 'release') ring.release(Math.min(end, start + size));
        if (kind === 'read') {
          const from = Math.min(end, start + size);
          const read = Buffer.concat([...ring.from(from, 1 + (size % 777))]);
          expect(Buffer.compare(read, bytesFrom(from, end - from))).toBe(0);
        }
        expect(ring.allocated).toBeLessThanOrEqual(capacity);
      }
    }),
  );
});

describe('a ring', () => {
  test('takes little memory for little, and none for nothing', () => {
    const ring = new Ring(1024 * 1024);
    expect(ring.allocated).toBe(0);
    for (let at = 0; at < 1000; at += 1) {
      ring.append(bytesFrom(at, 1));
      ring.release(ring.end);
    }
    expect(ring.allocated).toBe(4096);
    ring.trim();
    expect(ring.allocated).toBe(0);
    ring.append(bytesFrom(1000, 1));
    expect(ring.allocated).toBe(4096);
  });

  test('holds what it may and not a byte more, and loses nothing by refusing', () => {
    const ring = new Ring(10_000);
    ring.append(bytesFrom(0, 10_000));
    expect(() => ring.append(new Uint8Array(1))).toThrow('full');
    expect(Buffer.concat([...ring.from(0, 64)])).toHaveLength(10_000);
  });

  test('gives nothing that it has not, or has no more', () => {
    const ring = new Ring(100);
    ring.append(bytesFrom(0, 50));
    ring.release(20);
    expect(() => ring.release(19)).toThrow(RangeError);
    expect(() => ring.release(51)).toThrow(RangeError);
    expect(() => [...ring.from(19, 10)]).toThrow(RangeError);
    expect([...ring.from(50, 10)]).toEqual([]);
  });
});
