/** Offers that no hub may take. */
import * as fc from 'fast-check';
import { LIMITS } from '../../../shared/src/limits.ts';
import { generateIdentity } from '../../../shared/src/keys.ts';
import type { Offer } from '../../../shared/src/offer.ts';
import { attack, Violation, type Attack } from '../attack.ts';
import { ends, onSocket } from './acts.ts';

const greeted = fc.boolean();
const anyString = fc.string({ unit: 'binary', maxLength: 60 });

/** One thing too many or too much, each in an offer that is good otherwise. */
const overBounds: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc.oneof(
  fc.record({ version: fc.constantFrom(0, 2, '1', null) }),
  fc.record({
    name: fc.oneof(
      fc.constantFrom('', '-', 'A', 'x'.repeat(41)),
      anyString.map((s) => `${s} `),
    ),
  }),
  fc.record({ sequence: fc.constantFrom(-1, 1.5, 2 ** 53, '1', null) }),
  fc.record({ issuedAt: fc.constantFrom('', 'now', 0, '2026-13-01T00:00:00Z') }),
  fc.record({ driver: anyString, arch: anyString }),
  fc.record({
    prices: fc.record({
      cpuHour: fc.constantFrom(-1, 0.5, 1e12),
      memoryGiBHour: fc.constant(0),
      storageGiBHour: fc.constant(0),
    }),
  }),
  fc.record({
    capacity: fc.record({
      cpus: fc.constantFrom(-1, 1e9),
      memoryMiB: fc.constant(1),
      storageGiB: fc.constant(1),
      vms: fc.constant(1),
    }),
  }),
  fc.record({
    images: fc.constant(Array.from({ length: LIMITS.offer.images + 1 }, (_, n) => `image-${n}`)),
  }),
  fc.record({ capabilities: fc.array(anyString, { minLength: 1 }) }),
  fc.record({ accepting: fc.constantFrom(0, 'true', null) }),
);

export const controlOffers: readonly Attack[] = [
  ends(
    'offer that is not newer',
    fc.record({ greeted: fc.constant(true), by: fc.integer({ min: 0, max: 1_000_000 }) }),
    async ({ by }, provider) => {
      // A greeted provider has just shown its newest one.
      const sequence = provider.nextSequence() - 1 - by;
      return JSON.stringify({
        type: 'offer',
        offer: await provider.offer({ sequence, name: 'older' }),
      });
    },
  ),
  ends(
    "offer of another, or by another's key",
    fc.record({ greeted, isForeign: fc.boolean() }),
    async ({ isForeign }, provider) => {
      const other = await generateIdentity('provider');
      const change = isForeign ? { provider: other.id, publicKey: other.publicKey } : {};
      return JSON.stringify({ type: 'offer', offer: await provider.offer(change, other) });
    },
  ),
  ends(
    'offer over the bounds',
    fc.record({ greeted, change: overBounds }),
    async ({ change }, provider) =>
      // Signed as it is: only what it says is wrong.
      JSON.stringify({ type: 'offer', offer: await provider.offer(change as Partial<Offer>) }),
  ),
  ends(
    'offer that is too long',
    fc.record({
      greeted,
      length: fc.integer({ min: LIMITS.offer.bytes, max: 4 * LIMITS.offer.bytes }),
    }),
    async ({ length }, provider) => {
      const change = { note: 'x'.repeat(length) } as Partial<Offer>;
      return JSON.stringify({ type: 'offer', offer: await provider.offer(change) });
    },
  ),
  attack(
    'control',
    'flood of offers',
    fc.record({ count: fc.integer({ min: 10, max: 100 }), isNews: fc.boolean() }),
    (arena, { count, isNews }) =>
      onSocket(arena, true, async (control, provider) => {
        for (let n = 0; n < count; n += 1) {
          const change = isNews ? { name: `hostile-${n}` } : {};
          control.send(JSON.stringify({ type: 'offer', offer: await provider.offer(change) }));
        }
        const answer = await control.openOrClosed();
        if (answer !== 'open') throw new Violation(`${answer} for what may be sent`);
        return [answer];
      }),
    2,
  ),
];
