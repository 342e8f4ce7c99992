import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GuestUsage } from '../drivers/driver.ts';
import { count, NOTHING_COUNTED, type Counted } from './counted.ts';

const usage = (cpuSeconds: number | undefined): GuestUsage => ({
  ...{ cpuSeconds, memoryBytes: 0, diskBytes: 0, receivedBytes: undefined, sentBytes: cpuSeconds },
});
const guests = (values: Record<string, number | undefined>) =>
  new Map(Object.entries(values).map(([id, value]) => [id, usage(value)]));

test('sums go on when guests are started again, go and come', () => {
  let counted = count(NOTHING_COUNTED, guests({ a: 100 }), true);
  expect(counted.sums.cpuSeconds).toBe(0);
  counted = count(counted, guests({ a: 110, b: 5 }), false);
  expect(counted.sums.cpuSeconds).toBe(15);
  counted = count(counted, guests({ a: 3, b: undefined }), false);
  expect(counted.sums.cpuSeconds).toBe(18);
  counted = count(counted, guests({ b: 9 }), false);
  expect(counted.sums).toEqual({ cpuSeconds: 22, receivedBytes: 0, sentBytes: 22 });
});

test('sums never fall, whatever guests say', () => {
  const look = fc.dictionary(
    fc.constantFrom('a', 'b', 'c'),
    fc.option(fc.nat(), { nil: undefined }),
  );
  fc.assert(
    fc.property(fc.array(look), (looks) => {
      let counted: Counted = NOTHING_COUNTED;
      for (const [n, values] of looks.entries()) {
        const next = count(counted, guests(values), n === 0);
        expect(next.sums.cpuSeconds).toBeGreaterThanOrEqual(counted.sums.cpuSeconds);
        counted = next;
      }
    }),
  );
});
