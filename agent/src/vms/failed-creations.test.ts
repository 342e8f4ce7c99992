import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AGENT_LIMITS } from '../limits.ts';
import { checkFailures } from './failed-creations.ts';

const { failedCreations, failedCreationsMillis } = AGENT_LIMITS.vms;
const NOW = Date.UTC(2026, 10, 25);

const refusal = (failed: readonly number[], now: number) => {
  try {
    checkFailures(failed, now);
  } catch (error) {
    return error as { code: string; retryAfter: number };
  }
  return undefined;
};

test('as many as are counted may fail within any hour, and whoever waits as told is let in again', () => {
  const ages = fc.array(
    fc.integer({ min: -failedCreationsMillis, max: 2 * failedCreationsMillis }),
    {
      maxLength: 3 * failedCreations,
    },
  );
  fc.assert(
    fc.property(ages, (those) => {
      const failed = those.map((age) => NOW - age).toSorted((a, b) => b - a);
      const young = those.filter((age) => age >= 0 && age < failedCreationsMillis);
      const refused = refusal(failed, NOW);
      expect(refused !== undefined).toBe(young.length >= failedCreations);
      if (!refused) return;
      expect(refused.code).toBe('rate_limited');
      const past = failed.filter((at) => at <= NOW);
      expect(refusal(past, NOW + (refused.retryAfter - 1) * 1000 - 1)).toBeDefined();
      expect(refusal(past, NOW + refused.retryAfter * 1000)).toBeUndefined();
    }),
  );
});
