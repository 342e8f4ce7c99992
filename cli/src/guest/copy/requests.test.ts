import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GUEST_LIMITS } from '../limits.ts';
import { readInFlight, writeInFlight } from './requests.ts';

const sizes = fc.integer({ min: 0, max: 5 * GUEST_LIMITS.requestBytes });

test('a file is read whole and in order, however little a server gives at once', async () => {
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.infiniteStream(fc.integer({ min: 1, max: 40_000 })),
      async (size, gifts) => {
        const file = Buffer.from(Array.from({ length: size }, (_, at) => (at * 7919) & 255));
        let most = 0;
        let under = 0;
        const read = async (length: number, position: number) => {
          under += 1;
          most = Math.max(most, under);
          await Promise.resolve();
          under -= 1;
          const gift = Math.min(length, gifts.next().value ?? 1);
          return file.subarray(position, position + gift);
        };
        const got: Uint8Array[] = [];
        for await (const bytes of readInFlight(read)) got.push(bytes);
        expect(Buffer.concat(got).equals(file)).toBe(true);
        expect(most).toBeLessThanOrEqual(GUEST_LIMITS.requestsInFlight);
      },
    ),
    { numRuns: 50 },
  );
});

test('a read that fails is told at its turn', async () => {
  const read = async (length: number, position: number) => {
    if (position > 0) throw new Error('gone');
    return Buffer.alloc(length);
  };
  const reading = readInFlight(read);
  expect((await reading.next()).value).toHaveLength(GUEST_LIMITS.requestBytes);
  await expect(reading.next()).rejects.toThrow('gone');
});

test('a file is written whole, in requests that a server takes, so many at once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sizes, { maxLength: 4 }), async (lengths) => {
      const parts = lengths.map((length, at) => Buffer.alloc(length, at + 1));
      const file = Buffer.alloc(lengths.reduce((total, length) => total + length, 0));
      let under = 0;
      const writer = writeInFlight(async (bytes, position) => {
        under += 1;
        expect(under).toBeLessThanOrEqual(GUEST_LIMITS.requestsInFlight);
        expect(bytes.length).toBeLessThanOrEqual(GUEST_LIMITS.requestBytes);
        await Promise.resolve();
        bytes.copy(file, position);
        under -= 1;
      });
      for (const part of parts) await writer.write(part);
      await writer.flush();
      expect(under).toBe(0);
      expect(file.equals(Buffer.concat(parts))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('a write that fails is told, at the latest in the end', async () => {
  const writer = writeInFlight(() => Promise.reject(new Error('full')));
  await writer.write(Buffer.alloc(10));
  await expect(writer.flush()).rejects.toThrow('full');
});
