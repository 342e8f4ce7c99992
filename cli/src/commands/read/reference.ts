/** Which VM a name on the command line means. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { VmEntry } from '../../state/book.ts';
import { closest } from '@vm-on-golem/shared/suggest';
import type { LocalContext } from '../command.ts';

/** Enough of a VM's id to name it. */
const ID_PREFIX_CHARS = 6;

export type ReadyEntry = VmEntry & { readonly vm: Vm };

/** @param reference a name, an id, a prefix of an id, or `gp_.../vm_...` */
export async function findEntry(
  { book }: Pick<LocalContext, 'book'>,
  reference: string,
): Promise<VmEntry> {
  const named = await book.get(reference);
  if (named) return named;
  const all = await book.all();
  const byId = all.filter(
    ({ provider, vm }) =>
      reference.length >= ID_PREFIX_CHARS &&
      (vm?.id.startsWith(reference) || `${provider}/${vm?.id}` === reference),
  );
  const [entry, another] = byId;
  if (entry && !another) return entry;
  if (another) throw new GolemError('usage', `Several VMs begin with ${reference}.`);
  const guess = closest(
    reference,
    all.map(({ name }) => name),
  );
  throw new GolemError('vm_not_found', `You have no VM '${reference}'.`, {
    hint: guess ? `Did you mean ${guess}?` : "See what you have with 'golem vm list'.",
  });
}

/** @throws {GolemError} `wrong_state` while nothing is known of the VM but that it was asked for */
export async function findReady(
  context: Pick<LocalContext, 'book'>,
  reference: string,
): Promise<ReadyEntry> {
  const entry = await findEntry(context, reference);
  if (entry.vm && !entry.pending) return { ...entry, vm: entry.vm };
  throw new GolemError('wrong_state', `'${entry.name}' is still being created.`, {
    hint: `Run: golem vm wait ${entry.name}`,
  });
}
