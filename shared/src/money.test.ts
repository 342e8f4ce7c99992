import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from './limits.ts';
import { hourlyPrice, MAX_UNIT_PRICE, pricesSchema } from './money.ts';
import { formatUsd, parseUsd } from './usd.ts';
import { SIZES } from './vm.ts';

const unitPrice = fc.integer({ min: 0, max: MAX_UNIT_PRICE });
const prices = fc.record({
  cpuHour: unitPrice,
  memoryGiBHour: unitPrice,
  storageGiBHour: unitPrice,
});
const resources = fc.record({
  cpus: fc.integer({ min: 1, max: LIMITS.vm.cpus }),
  memoryMiB: fc.integer({ min: 64, max: LIMITS.vm.memoryMiB }),
  storageGiB: fc.integer({ min: 1, max: LIMITS.vm.storageGiB }),
});

describe('the price of an hour', () => {
  test('is exact for every machine at every price', () => {
    fc.assert(
      fc.property(prices, resources, (price, machine) => {
        const exact =
          BigInt(price.cpuHour) * BigInt(machine.cpus) +
          (BigInt(price.memoryGiBHour) * BigInt(machine.memoryMiB) + 1023n) / 1024n +
          BigInt(price.storageGiBHour) * BigInt(machine.storageGiB);
        expect(BigInt(hourlyPrice(price, machine))).toBe(exact);
      }),
      { numRuns: 1000 },
    );
  });

  test('stays exact where everything is at its largest', () => {
    const largest = hourlyPrice(
      {
        cpuHour: MAX_UNIT_PRICE,
        memoryGiBHour: MAX_UNIT_PRICE,
        storageGiBHour: MAX_UNIT_PRICE,
      },
      LIMITS.vm,
    );
    expect(Number.isSafeInteger(largest)).toBe(true);
  });

  test('is rounded up, never to nothing', () => {
    const dear = { cpuHour: 0, memoryGiBHour: 1, storageGiBHour: 0 };
    expect(hourlyPrice(dear, { cpus: 1, memoryMiB: 64, storageGiB: 1 })).toBe(1);
    expect(hourlyPrice(dear, { cpus: 1, memoryMiB: 1025, storageGiB: 1 })).toBe(2);
  });

  test('of a small VM', () => {
    const usual = { cpuHour: 5_000_000, memoryGiBHour: 2_000_000, storageGiBHour: 50_000 };
    expect(hourlyPrice(usual, SIZES.small)).toBe(7_500_000);
    expect(formatUsd(7_500_000)).toBe('$0.007500');
  });
});

describe('dollars as text', () => {
  test('come back exactly', () => {
    fc.assert(
      fc.property(fc.nat(999_999), fc.nat(999_999_999), (whole, nano) => {
        const text = `${whole}.${String(nano).padStart(9, '0')}`;
        expect(parseUsd(text)).toBe(whole * 1e9 + nano);
        expect(parseUsd(`$${text}`)).toBe(whole * 1e9 + nano);
      }),
    );
  });

  test('whole micro-dollars are shown as they are', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), (micro) => {
        expect(parseUsd(formatUsd(micro * 1000))).toBe(micro * 1000);
      }),
    );
  });

  test.each([
    '',
    '$',
    '-1',
    '1e3',
    '1.',
    '.5',
    '0x10',
    '1,5',
    ' 1',
    '1\n',
    '1.0000000001',
    '1000000',
    'NaN',
  ])('%j is no price', (text) => {
    expect(parseUsd(text)).toBeUndefined();
  });
});

test.each([
  ['fractions', { cpuHour: 0.5 }],
  ['negative prices', { cpuHour: -1 }],
  ['prices that would break sums', { storageGiBHour: MAX_UNIT_PRICE + 1 }],
  ['unknown parts', { gpuHour: 1 }],
])('%s are refused', (_what, change) => {
  const good = { cpuHour: 1, memoryGiBHour: 1, storageGiBHour: 1 };
  expect(pricesSchema.safeParse(good).success).toBe(true);
  expect(pricesSchema.safeParse({ ...good, ...change }).success).toBe(false);
});
