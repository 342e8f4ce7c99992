import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bounded, realRoom, settle } from './room.ts';

const GIB = 2 ** 30;
const reserve = { memoryMiB: 2048, storageGiB: 10 };
const host = {
  memoryMiB: 16_384,
  availableMemoryMiB: 15_000,
  diskBytes: 500 * GIB,
  freeDiskBytes: 100 * GIB,
};
const none = { memoryMiB: 0, diskBytes: 0 };

describe('the room for guests', () => {
  test('is all but the reserve, as long as nothing else needs more', () => {
    expect(realRoom(host, none, reserve)).toEqual({ memoryMiB: 14_336, storageGiB: 90 });
  });

  test('is less where the machine itself needs more than the reserve', () => {
    const busy = { ...host, availableMemoryMiB: 10_384 };
    expect(realRoom(busy, none, reserve).memoryMiB).toBe(10_384);
  });

  test('does not shrink by what guests come to use of what they rent', () => {
    const used = { ...host, availableMemoryMiB: 5_000, freeDiskBytes: 60 * GIB };
    const held = { memoryMiB: 10_000, diskBytes: 40 * GIB };
    expect(realRoom(used, held, reserve)).toEqual(realRoom(host, none, reserve));
  });

  test('together with what is used otherwise is never more than there is', () => {
    const size = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(size, size, size, size, size, (total, unused, held, reserved, free) => {
        const state = {
          ...{ memoryMiB: total, availableMemoryMiB: Math.min(unused, total) },
          ...{ diskBytes: 2_000_000 * GIB, freeDiskBytes: free * GIB },
        };
        const guests = { memoryMiB: held, diskBytes: held * GIB };
        const room = realRoom(state, guests, { memoryMiB: reserved, storageGiB: reserved });
        const others = Math.max(0, total - state.availableMemoryMiB - held);
        expect(room.memoryMiB).toBeGreaterThanOrEqual(0);
        expect(room.memoryMiB + others).toBeLessThanOrEqual(Math.max(total, others));
        // When every guest has filled its disk, the reserve is still free.
        if (room.storageGiB > 0) {
          expect(free - (room.storageGiB - held)).toBeGreaterThanOrEqual(reserved);
        }
      }),
    );
  });

  test('is said anew when it is less, or much more', () => {
    expect(settle(undefined, 1300, 512)).toBe(1280);
    expect(settle(1280, 1281, 512)).toBe(1280);
    expect(settle(1280, 1279, 512)).toBe(1024);
    expect(settle(1280, 1791, 512)).toBe(1280);
    expect(settle(1280, 1792, 512)).toBe(1792);
  });

  test('bounds what the operator shares', () => {
    const shares = { cpus: 4, memoryMiB: 8192, storageGiB: 500, vms: 9 };
    expect(bounded(shares, { memoryMiB: 9000, storageGiB: 90 })).toEqual({
      ...shares,
      storageGiB: 90,
    });
  });
});
