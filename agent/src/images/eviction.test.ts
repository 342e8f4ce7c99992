import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseEvictions, type KeptFile, type Need } from './eviction.ts';

const HOUR = 3_600_000;
const now = 1000 * HOUR;
const need = (change: Partial<Need> = {}): Need => ({
  ...{ maxBytes: 100, wantedBytes: 0, missingBytes: 0, now, recentMillis: HOUR },
  ...change,
});
const file = (name: string, bytes: number, hoursAgo: number, isInUse = false): KeptFile => ({
  ...{ name, bytes, usedAt: now - hoursAgo * HOUR, isInUse },
});

describe('of the images that are kept', () => {
  const files = [file('new', 30, 2), file('old', 30, 20), file('used', 30, 50, true)];

  test('none goes while there is room', () => {
    expect(chooseEvictions(files, need({ wantedBytes: 10 }))).toEqual([]);
  });

  test('the one that was used longest ago goes first, and never one that guests need', () => {
    expect(chooseEvictions(files, need({ wantedBytes: 11 }))).toEqual(['old']);
    expect(chooseEvictions(files, need({ maxBytes: 0 }))).toEqual(['old', 'new']);
    expect(chooseEvictions(files, need({ missingBytes: 31 }))).toEqual(['old', 'new']);
  });

  test('one that was used lately stays, and one that frees nothing', () => {
    const lately = [file('now', 90, 0.5), file('linked', 0, 99)];
    expect(chooseEvictions(lately, need({ maxBytes: 0, missingBytes: 1000 }))).toEqual([]);
  });

  test('no more go than must, whatever they are', () => {
    const kept = fc.record({
      name: fc.uuid(),
      bytes: fc.nat(1000),
      usedAt: fc.integer({ min: 0, max: now }),
      isInUse: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(kept),
        fc.nat(5000),
        fc.nat(2000),
        fc.nat(2000),
        (files, max, wanted, missing) => {
          const wish = need({ maxBytes: max, wantedBytes: wanted, missingBytes: missing });
          const chosen = chooseEvictions(files, wish);
          const gone = files.filter(({ name }) => chosen.includes(name));
          for (const { isInUse, usedAt } of gone) {
            expect(isInUse).toBe(false);
            expect(usedAt).toBeLessThan(now - HOUR);
          }
          const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
          const enough = (freed: number) => total - freed + wanted <= max && freed >= missing;
          const sizes = chosen.map((name) => files.find((file) => file.name === name)?.bytes ?? 0);
          const freed = sizes.reduce((sum, bytes) => sum + bytes, 0);
          // Without the last one it would not have been enough.
          if (chosen.length > 0) expect(enough(freed - (sizes.at(-1) ?? 0))).toBe(false);
          const left = files.filter(
            (it) => !chosen.includes(it.name) && !it.isInUse && it.bytes > 0,
          );
          if (left.some(({ usedAt }) => usedAt < now - HOUR)) expect(enough(freed)).toBe(true);
        },
      ),
    );
  });
});
