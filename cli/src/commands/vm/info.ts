/** `golem vm info`: one VM, as its provider sees it now; as it was last known where that cannot be asked. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { vmDetails, type VmDetails } from '../../presenters/vms.ts';
import type { VmEntry } from '../../state/book.ts';
import type { Command, Context } from '../command.ts';
import { findEntry } from '../read/reference.ts';
import { vmOutput } from '../work/output.ts';

export const info: Command<VmDetails> = {
  name: 'info',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem vm info web', 'golem vm info web -o json'],

  async run(context, { args: [reference = ''] }) {
    const { client, book, signal, note } = context;
    const entry = await findEntry(context, reference);
    try {
      const known = await client.look(entry, { rentals: book, signal });
      return { ...vmOutput(known), ...(await more(context, { ...entry, ...known })) };
    } catch (error) {
      if (!(error instanceof GolemError) || !error.retryable || !entry.vm) throw error;
      note(`golem: ${error.message} This is what was last known of '${entry.name}'.`);
      const offlineSince = await whenLost(context, entry, error);
      return { ...vmOutput(entry, { isReachable: false, offlineSince }), ...UNKNOWN };
    }
  },
  present: vmDetails,
};

const UNKNOWN = { costNanoUsd: null, sharedWith: null } as const;

/** What the owner alone may ask; not knowing it is no reason to say nothing of the VM. */
async function more(
  { client, signal }: Context,
  { provider, vm }: Pick<VmEntry, 'provider' | 'vm'>,
): Promise<Pick<VmDetails, 'costNanoUsd' | 'sharedWith'>> {
  if (!vm || vm.sharedBy !== undefined) return UNKNOWN;
  const unlessFailed = <Answer>(answer: Promise<Answer>) =>
    answer.catch((error: unknown) => {
      if (error instanceof GolemError && error.code !== 'interrupted') return undefined;
      throw error;
    });
  const [shares, usage] = await Promise.all([
    unlessFailed(client.grants.list(provider, vm.id, { signal })),
    unlessFailed(client.books.usage(provider, vm.id, { signal }).next()),
  ]);
  const cost = usage?.done === false ? usage.value.total : null;
  return {
    costNanoUsd: cost,
    sharedWith: shares?.grants.map(({ requestor }) => requestor) ?? null,
  };
}

async function whenLost(
  { client, signal }: Context,
  { provider }: VmEntry,
  { code }: GolemError,
): Promise<string | undefined> {
  if (code !== 'provider_offline') return undefined;
  const { online, since } = await client.providers.presence(provider, { signal });
  return online ? undefined : since;
}
