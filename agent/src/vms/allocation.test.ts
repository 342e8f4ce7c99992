import type { Resources } from '@vm-on-golem/shared/vm';
import { array, assert, integer, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkRoom, NOTHING, remaining, sum } from './allocation.ts';

const resources = record({
  cpus: integer({ min: 1, max: 16 }),
  memoryMiB: integer({ min: 64, max: 8192 }),
  storageGiB: integer({ min: 1, max: 100 }),
});
const amounts = record({
  cpus: integer({ min: 0, max: 64 }),
  memoryMiB: integer({ min: 0, max: 65_536 }),
  storageGiB: integer({ min: 0, max: 1000 }),
  vms: integer({ min: 0, max: 20 }),
});

describe('allocation', () => {
  test('never gives more than there is, whatever is asked for in whatever order', () => {
    assert(
      property(amounts, array(resources, { maxLength: 50 }), (capacity, requests) => {
        let taken = NOTHING;
        for (const request of requests) {
          const left = remaining(capacity, taken);
          try {
            checkRoom(left, request);
          } catch {
            const full = sum(taken, request);
            expect(
              full.cpus > capacity.cpus ||
                full.memoryMiB > capacity.memoryMiB ||
                full.storageGiB > capacity.storageGiB ||
                full.vms > capacity.vms,
            ).toBe(true);
            continue;
          }
          taken = sum(taken, request);
        }
        for (const key of ['cpus', 'memoryMiB', 'storageGiB', 'vms'] as const) {
          expect(taken[key]).toBeLessThanOrEqual(capacity[key]);
          expect(remaining(capacity, taken)[key]).toBe(capacity[key] - taken[key]);
        }
      }),
    );
  });

  test('a capacity that was made smaller leaves nothing, not less than nothing', () => {
    const taken = { cpus: 4, memoryMiB: 4096, storageGiB: 40, vms: 2 };
    expect(remaining({ cpus: 1, memoryMiB: 1024, storageGiB: 10, vms: 1 }, taken)).toEqual(NOTHING);
  });

  test('a refusal names all that is short', () => {
    const wanted: Resources = { cpus: 4, memoryMiB: 4096, storageGiB: 40 };
    const left = { cpus: 1, memoryMiB: 512, storageGiB: 100, vms: 3 };
    expect(() => checkRoom(left, wanted)).toThrow(
      'The provider has no room for this VM: 1 of 4 CPUs are free, 512 of 4096 MiB of memory are free.',
    );
  });
});
