/** Brings a creation that was sent to its end, whoever sent it and whenever. */
import { SignedRefusal } from '../../client/http.ts';
import { GolemError } from '@vm-on-golem/shared/errors';
import { pinHostKey } from '../../ssh/known-hosts.ts';
import type { VmEntry } from '../../state/vms.ts';
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
    const goesOn = `'${entry.name}' goes on being created by the provider.`;
    const hint = `Follow it: golem vm wait ${entry.name}. Undo it: golem vm destroy ${entry.name}`;
    if (context.signal.aborted) throw new GolemError('interrupted', goesOn, { hint });
    if (deadline.aborted) throw new GolemError('still_booting', goesOn, { hint });
    throw error;
  }
}

async function finish(context: Context, entry: VmEntry, signal: AbortSignal): Promise<VmEntry> {
  const { client, book } = context;
  const { pending, provider, name } = entry;
  try {
    if (pending) {
      const operation =
        pending.operation ??
        (await client.vms.create(provider, pending.body, pending.idempotencyKey, signal)).operation;
      await client.follow(provider, operation, { signal, onStage: stageReporter(context, name) });
    }
    const vm = await client.vms.get(provider, entry.vm?.id ?? name, signal);
    const settled = withVm(entry, vm);
    await pinHostKey(context.paths, vm);
    await book.put(settled);
    return settled;
  } catch (error) {
    // The provider's own word that there is, or will be, no such VM.
    if (error instanceof SignedRefusal && !error.retryable) await book.remove(name);
    throw error;
  }
}
