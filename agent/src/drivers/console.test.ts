import fc from 'fast-check';
import { expect, test } from 'vitest';
import { consoleRange } from './console.ts';

const kept = { start: 100, end: 200 };

test.each([
  ['the last ones', 30, undefined, { from: 170, to: 200 }],
  ['all that are kept', 500, undefined, { from: 100, to: 200 }],
  ['from an offset on', 30, 120, { from: 120, to: 150 }],
  ['up to the end', 30, 190, { from: 190, to: 200 }],
  ['nothing at the end', 30, 200, { from: 200, to: 200 }],
  ['the first that are kept, where some are not', 30, 50, { from: 100, to: 130 }],
  ['the first, after an offset that there is none of', 30, 201, { from: 100, to: 130 }],
])('%s', (_, maxBytes, after, range) => {
  expect(consoleRange(kept, maxBytes, after)).toEqual(range);
});

test('whoever goes on from where the last part ended misses nothing that is kept', () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.nat(1000),
      fc.integer({ min: 1, max: 64 }),
      (start, length, max) => {
        const end = start + length;
        let after = start;
        while (after < end) {
          const { from, to } = consoleRange({ start, end }, max, after);
          expect(from).toBe(after);
          expect(to - from).toBe(Math.min(max, end - from));
          after = to;
        }
        expect(after).toBe(end);
      },
    ),
  );
});
