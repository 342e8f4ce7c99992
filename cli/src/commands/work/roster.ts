/**
 * What one rents, as providers say it now: what is remembered here, brought in line, and what is not,
 * found by the key alone. All within one deadline.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Identity } from '@vm-on-golem/shared/keys';
import { ORDERED_LABEL } from '@vm-on-golem/shared/labels';
import { SIZES } from '@vm-on-golem/shared/vm';
import type { CallOptions } from '../../sdk/ports.ts';
import { isOrdered } from '../../sdk/own/ordered.ts';
import { formerSshKeyFile } from '../../state/ssh-keys.ts';
import type { VmOutput } from '../../presenters/vms.ts';
import type { Context } from '../command.ts';
import { adopt, sortByProof, type FoundVm, type Sorted } from './adopt.ts';
import { formerIdentities } from './former.ts';
import { vmOutput } from './output.ts';

/** Providers that are asked where discovery remembers nothing and neither does this machine. */
const GUESSES = 100;

/** VMs without a proof that are shown: a provider makes up as many as it likes. */
const UNKNOWN_SHOWN = 20;

/** @throws {GolemError} when nothing is remembered and nobody says whom to ask */
export async function roster(context: Context, deadlineMillis: number): Promise<VmOutput[]> {
  const { client, book, signal, note, now } = context;
  const started = now();
  const isNothingKnown = (await book.all()).length === 0;
  const providers = isNothingKnown ? await whomToAsk(context, { signal, deadlineMillis }) : [];
  const { rentals, unknown, silent } = await client.reconcile({
    ...{ rentals: book, providers, signal },
    deadlineMillis: Math.max(1, deadlineMillis - (now() - started)),
  });
  for (const { refusal } of rentals) {
    if (refusal) note(`golem: ${refusal.message} ${refusal.hint ?? ''}`);
  }
  for (const provider of silent) {
    note(`golem: ${provider} does not answer: VMs that you may have there are not shown.`);
  }
  const shared = unknown.filter(({ vm }) => vm.sharedBy !== undefined);
  for (const { provider, vm } of shared) {
    note(`Somebody shares a VM with you: golem vm accept ${provider}/${vm.id}`);
  }
  const own = unknown.filter(({ vm }) => vm.sharedBy === undefined);
  const sorted = await sortFound(context, own);
  sayUnknown(note, sorted.unknown);
  const adopted = await adopt(context, sorted.ordered);
  const remembered = [
    ...rentals.map(({ rental, ...reach }) => vmOutput(rental, reach)),
    ...adopted.map((entry) => vmOutput(entry)),
  ];
  return [
    ...remembered.sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...shared.map(({ provider, vm }) => vmOutput({ name: vm.name, provider, vm })),
    ...sorted.unknown.slice(0, UNKNOWN_SHOWN).map(({ provider, vm }) => ({
      ...vmOutput({ name: vm.name, provider, vm }),
      isUnknown: true,
    })),
  ];
}

async function sortFound(context: Context, found: readonly FoundVm[]): Promise<Sorted> {
  if (found.length === 0) return { ordered: [], unknown: [] };
  const { client, book } = context;
  const former = await formerIdentities(context);
  const identities = [await client.identity(), ...former];
  const { ordered, unknown } = await sortByProof(identities, await book.all(), found);
  return {
    ordered: await Promise.all(ordered.map((one) => withKey(context, former, one))),
    unknown,
  };
}

/** What a key ordered before it was replaced is opened by the SSH key of that one. */
async function withKey(
  { paths }: Context,
  former: readonly Identity[],
  found: FoundVm,
): Promise<FoundVm> {
  for (const identity of former) {
    if (!(await isOrdered([identity], found.provider, found.vm))) continue;
    return { ...found, sshKey: await formerSshKeyFile(paths, identity.id) };
  }
  return found;
}

function sayUnknown(note: Context['note'], unknown: readonly FoundVm[]): void {
  for (const { provider, vm } of unknown.slice(0, UNKNOWN_SHOWN)) {
    note(`golem: ${provider} lists '${vm.name}' as yours, and nothing proves that you ordered it.`);
    note(`If you did: golem vm accept ${provider}/${vm.id}`);
    if (vm.labels?.[ORDERED_LABEL] === undefined) continue;
    note(
      `golem: It may have been ordered with a key before this one. Then '${vm.name}' may let in the SSH key of that one only, which its backup has: golem key restore FILE`,
    );
  }
  const more = unknown.length - UNKNOWN_SHOWN;
  if (more > 0) note(`golem: ${more} more of that kind are not shown.`);
}

/**
 * With nothing to show, an empty list would say that there is nothing: whom to ask has to be known.
 * @throws {GolemError} when discovery cannot be asked
 */
async function whomToAsk({ client }: Context, options: CallOptions): Promise<string[]> {
  try {
    const ids: string[] = [];
    for await (const id of client.myProviders(options)) ids.push(id);
    return ids;
  } catch (error) {
    if (!(error instanceof GolemError) || error.code !== 'not_found') throw error;
    const filter = { resources: SIZES.small };
    const { candidates } = await client.providers.page(filter, { limit: GUESSES, ...options });
    return candidates.map(({ id }) => id);
  }
}
