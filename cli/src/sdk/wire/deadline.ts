/** One deadline over everything that a call does: its requests, its tries, and the waits in between. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { CallOptions } from '../ports.ts';

/**
 * @throws {GolemError} `provider_timeout` when it takes longer than it may
 * @throws the reason of the caller's signal when that aborts first
 */
export async function within<Result>(
  { signal, deadlineMillis }: CallOptions,
  task: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  if (deadlineMillis === undefined) return task(signal);
  const deadline = AbortSignal.timeout(deadlineMillis);
  try {
    return await task(AbortSignal.any([signal, deadline]));
  } catch (cause) {
    if (cause !== deadline.reason) throw cause;
    throw new GolemError('provider_timeout', `No answer within ${deadlineMillis / 1000} s.`, {
      cause,
    });
  }
}
