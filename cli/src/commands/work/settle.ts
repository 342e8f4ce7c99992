/** Brings a creation that was sent to its end, whoever sent it and whenever. */
import { isGone, OperationFailed, SignedRefusal } from '../../sdk/wire/outcome.ts';
import { GolemError } from '@vm-on-golem/shared/errors';
import { pinHostKey } from '../../openssh/known-hosts.ts';
import type { VmEntry } from '../../state/book.ts';
import type { Context } from '../command.ts';
import { withVm } from './output.ts';
import { stageReporter } from './stages.ts';

export const DEFAULT_TIMEOUT = '10m';

/**
 * Waits until the VM of `entry` is ready, and remembers it.
 * @throws {GolemError} `still_booting` when it takes longer than `timeoutMs`: it goes on
 */
export async function settle(
  context: Context,
  entry: VmEntry,
  timeoutMs: number,
): Promise<VmEntry> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([context.signal, deadline]);
  try {
    return await finish(context, entry, signal);
  } catch (error) {
    if (context.signal.aborted) throw interruptedCreation(entry.name);
    if (!deadline.aborted) throw error;
    throw new GolemError('still_booting', `'${entry.name}' is still booting.`, {
      hint: howToGoOn(entry.name),
    });
  }
}

/** What Ctrl-C leaves behind, and how it is undone. */
export function interruptedCreation(name: string): GolemError {
  return new GolemError('interrupted', `Stopped waiting. The creation of '${name}' goes on.`, {
    hint: howToGoOn(name),
  });
}

export function howToGoOn(name: string): string {
  return `Follow it: golem vm wait ${name}. Undo it: golem vm destroy ${name}.`;
}

async function finish(context: Context, entry: VmEntry, signal: AbortSignal): Promise<VmEntry> {
  const { client, book } = context;
  const { provider, name } = entry;
  try {
    if (entry.pending) {
      const operation = entry.pending.operation ?? (await askAgain(context, entry, signal));
      await client.follow(provider, operation, { signal, onStage: stageReporter(context, name) });
    }
  } catch (error) {
    // An operation that is forgotten has ended long ago: the VM tells how.
    const isForgotten = error instanceof SignedRefusal && error.code === 'operation_not_found';
    if (error instanceof OperationFailed) await rememberFailure(context, entry, error);
    if (!isForgotten) throw error;
  }
  const vm = await context.client.vms
    .get(provider, entry.vm?.id ?? name, { signal })
    .catch(async (error: unknown) => {
      if (isGone(error)) await book.remove(name);
      throw error;
    });
  const settled = withVm(entry, vm);
  await pinHostKey(context.paths, vm);
  await book.put(settled);
  return settled;
}

/** Sends a creation again of which no answer was seen, and remembers the operation. */
async function askAgain(context: Context, entry: VmEntry, signal: AbortSignal): Promise<string> {
  const { client, book } = context;
  const { pending, provider, name } = entry;
  if (!pending) throw new TypeError('only a pending creation is sent again');
  try {
    const { operation, vm } = await client.vms.create(provider, pending, { signal });
    await book.put({ ...entry, vm, pending: { ...pending, operation } });
    return operation;
  } catch (error) {
    // The first try may have arrived: only the provider's own word says that there is no such VM.
    if (error instanceof SignedRefusal && error.code !== 'internal') await book.remove(name);
    throw error;
  }
}

/** What could not be removed is still there to be destroyed. */
async function rememberFailure(
  { book }: Context,
  { pending: _ended, ...entry }: VmEntry,
  { vm }: OperationFailed,
): Promise<void> {
  if (vm) await book.put({ ...entry, vm });
  else await book.remove(entry.name);
}
