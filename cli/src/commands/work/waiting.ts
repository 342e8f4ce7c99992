/** Waiting that somebody may end: by Ctrl-C or by a time. What was asked for goes on, and it is said how to undo it. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Rental } from '../../sdk/ports.ts';
import { pinHostKey } from '../../openssh/known-hosts.ts';
import { option, type Context, type Input, type Option } from '../command.ts';
import { readDuration } from '../read/duration.ts';
import { stageReporter } from './stages.ts';

export const DEFAULT_TIMEOUT = '10m';

export const WAIT_OPTIONS: readonly Option[] = [
  { name: 'no-wait', summary: 'be done when the provider has accepted it' },
  { name: 'timeout', value: 'TIME', summary: `how long to wait (${DEFAULT_TIMEOUT})` },
];

/** @returns milliseconds */
export function readTimeout(input: Input): number {
  return readDuration('timeout', option(input, 'timeout') ?? DEFAULT_TIMEOUT);
}

/** What is left behind by somebody who waits no longer. */
export interface Unfinished {
  /** Such as: The stop of 'web'. */
  readonly what: string;
  readonly hint: string;
  /** Of the error after the time is up; `provider_timeout` unless said. */
  readonly late?: GolemError;
}

/** @param task is given a signal that ends it when nobody waits any more */
export async function waiting<Result>(
  { signal: stopped }: Pick<Context, 'signal'>,
  timeoutMillis: number,
  { what, hint, late }: Unfinished,
  task: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = AbortSignal.timeout(timeoutMillis);
  try {
    return await task(AbortSignal.any([stopped, deadline]));
  } catch (cause) {
    if (stopped.aborted) {
      throw new GolemError('interrupted', `Stopped waiting. ${what} goes on.`, { hint, cause });
    }
    if (!deadline.aborted) throw cause;
    throw late ?? new GolemError('provider_timeout', `${what} takes longer.`, { hint, cause });
  }
}

/** Waits until the VM of a rental is at rest, and pins its host key. */
export async function settled(
  context: Context,
  rental: Rental,
  timeoutMillis: number,
): Promise<Rental> {
  const { name, pending } = rental;
  const hint = pending ? howToGoOn(name) : `Follow it: golem vm wait ${name}.`;
  const late = pending
    ? { late: new GolemError('still_booting', `'${name}' is still booting.`, { hint }) }
    : {};
  const what = pending ? `The creation of '${name}'` : `What is done with '${name}'`;
  const known = await waiting(context, timeoutMillis, { what, hint, ...late }, (signal) =>
    context.client.settle(rental, {
      ...{ rentals: context.book, signal, onStage: stageReporter(context, name) },
    }),
  );
  if (known.vm) await pinHostKey(context.paths, { ...known, vm: known.vm });
  return known;
}

export function howToGoOn(name: string): string {
  return `Follow it: golem vm wait ${name}. Undo it: golem vm destroy ${name}.`;
}
