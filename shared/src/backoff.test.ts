import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMillis } from './backoff.ts';

const options = { firstMillis: 250, capMillis: 5000 };

test('the ceiling doubles up to the cap', () => {
  const almostOne = () => 1 - Number.EPSILON;
  const ceilings = [1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) =>
    backoffMillis(attempt, almostOne, options),
  );
  expect(ceilings).toEqual([249, 499, 999, 1999, 3999, 4999, 4999, 4999]);
});

test('full jitter: whole milliseconds from 0 up, wherever the random number falls', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), random, (attempt, value) => {
      const wait = backoffMillis(attempt, () => value, options);
      expect(Number.isInteger(wait)).toBe(true);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThan(options.capMillis);
      // The same luck never waits shorter after one more failure.
      expect(backoffMillis(attempt + 1, () => value, options)).toBeGreaterThanOrEqual(wait);
    }),
  );
});
