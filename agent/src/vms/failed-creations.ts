/** How many creations of one owner may fail. Pure. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { AGENT_LIMITS } from '../limits.ts';

const { failedCreations, failedCreationsMillis } = AGENT_LIMITS.vms;

/** From when on creations that failed are counted. Milliseconds since 1970, as everything here. */
export function countedSince(now: number): number {
  return now - failedCreationsMillis;
}

/**
 * @param failed when the last creations of the owner failed that are counted, the latest first; those that lie
 * after `now` are from before somebody set the clock back, and are let go
 * @throws {GolemError} `rate_limited` with the time until there are few enough
 */
export function checkFailures(failed: readonly number[], now: number): void {
  const counted = failed.filter((at) => at <= now && at > countedSince(now));
  const last = counted[failedCreations - 1];
  if (last === undefined) return;
  throw new GolemError(
    'rate_limited',
    `${counted.length} VMs of this key, within an hour, never answered SSH or were destroyed before they did.`,
    {
      hint: 'They cost nothing. Wait for VMs before you destroy them, see what is wrong with the user data, or take another provider.',
      retryAfter: Math.max(1, Math.ceil((last - countedSince(now)) / 1000)),
    },
  );
}
