/** Follows an operation by the pages that its provider signs, across lost links and restarts. */
import {
  operationPageSchema,
  paths,
  type OperationPage,
  type Stage,
} from '@vm-on-golem/shared/api';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { CallOptions } from '../ports.ts';
import { within } from './deadline.ts';
import { OperationFailed } from './outcome.ts';
import type { Transport } from './transport.ts';

export interface FollowOptions extends CallOptions {
  readonly onStage?: ((stage: Stage, at: string) => void) | undefined;
}

/** Between two looks that found nothing, as a provider may not hold its answer open. */
const PAUSE_MILLIS = 200;

/**
 * Resolves with the last page when the operation succeeded.
 * @throws {OperationFailed} the error that it ended with
 * @throws the reason of `signal` when that aborts: the operation itself goes on
 */
export function follow(
  transport: Transport,
  provider: string,
  operation: string,
  { onStage, ...options }: FollowOptions,
): Promise<OperationPage> {
  return within(options, async (signal) => {
    for (let after = 0; ;) {
      const query = `?after=${after}&wait=${LIMITS.operation.waitSeconds}`;
      const path = paths.operation(provider, operation) + query;
      const page = await transport.persistently(signal, () =>
        transport.call(provider, operationPageSchema, { method: 'GET', path, signal }),
      );
      for (const { n, at, stage } of page.events) {
        after = Math.max(after, n);
        if (stage !== 'unknown') onStage?.(stage, at);
      }
      if (page.state === 'succeeded') return page;
      if (page.state === 'failed') throw new OperationFailed(page);
      if (page.events.length === 0) await transport.pause(PAUSE_MILLIS, signal);
    }
  });
}
