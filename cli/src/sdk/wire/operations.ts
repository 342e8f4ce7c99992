/** Follows an operation by the pages that its provider signs, across lost links and restarts. */
import {
  operationPageSchema,
  paths,
  type OperationPage,
  type Stage,
} from '@vm-on-golem/shared/api';
import { backoffMillis } from '@vm-on-golem/shared/backoff';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Transport } from './transport.ts';
import { OperationFailed, SignedRefusal } from './outcome.ts';

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly onStage?: (stage: Stage, at: string) => void;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Resolves with the last page when the operation succeeded.
 * @throws {OperationFailed} the error that it ended with
 * @throws the reason of `signal` when that aborts: the operation itself goes on
 */
export async function follow(
  transport: Transport,
  provider: string,
  operation: string,
  { signal, onStage, sleep }: FollowOptions,
): Promise<OperationPage> {
  let after = 0;
  for (let failures = 0; ;) {
    signal.throwIfAborted();
    let page: OperationPage;
    try {
      const query = `?after=${after}&wait=${LIMITS.operation.waitSeconds}`;
      const path = paths.operation(provider, operation) + query;
      page = await transport.call(provider, operationPageSchema, { method: 'GET', path, signal });
      failures = 0;
    } catch (error) {
      if (!(error instanceof GolemError) || error instanceof SignedRefusal || !error.retryable)
        throw error;
      // Reading changes nothing: whatever is in the way may pass, until the caller has had enough.
      failures += 1;
      await sleep(
        backoffMillis(failures, Math.random, { firstMillis: 500, capMillis: 5_000 }),
        signal,
      );
      continue;
    }
    for (const { n, at, stage } of page.events) {
      after = Math.max(after, n);
      onStage?.(stage, at);
    }
    if (page.state === 'succeeded') return page;
    if (page.state === 'failed') throw new OperationFailed(page);
  }
}
