/**
 * What one rents, as providers say it now: what is remembered here, brought in line, and what is not,
 * found by the key alone. All within one deadline.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { SIZES } from '@vm-on-golem/shared/vm';
import type { CallOptions } from '../../sdk/ports.ts';
import type { VmOutput } from '../../presenters/vms.ts';
import type { Context } from '../command.ts';
import { adopt } from './adopt.ts';
import { vmOutput } from './output.ts';

/** Providers that are asked where discovery remembers nothing and neither does this machine. */
const GUESSES = 100;

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
  const adopted = await adopt(
    context,
    unknown.filter(({ vm }) => vm.sharedBy === undefined),
  );
  const own = [
    ...rentals.map(({ rental, ...reach }) => vmOutput(rental, reach)),
    ...adopted.map((entry) => vmOutput(entry)),
  ];
  return [
    ...own.sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...shared.map(({ provider, vm }) => vmOutput({ name: vm.name, provider, vm })),
  ];
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
