/** `golem vm purge`: destroys everything that this key has anywhere, and forgets it. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Rental } from '../../sdk/ports.ts';
import { isSet, type Command } from '../command.ts';
import { agree } from '../work/agree.ts';
import { each } from '../work/each.ts';
import { forgetHere } from '../work/forget.ts';
import { destroyOne, type Destroyed } from './destroy.ts';
import { readTimeout, WAIT_OPTIONS } from '../work/waiting.ts';

/** Whoever does not answer in this time is unreachable. */
const DEADLINE_MILLIS = 10_000;

export const purge: Command<Destroyed[]> = {
  name: 'purge',
  usage: '',
  args: { min: 0, max: 0 },
  options: [
    {
      name: 'force',
      summary: 'forget also what cannot be reached: it costs until its lease ends',
    },
    ...WAIT_OPTIONS,
  ],
  examples: ['golem vm purge', 'golem vm purge --force --yes'],

  async run(context, input) {
    const { client, book, signal, note } = context;
    const timeout = readTimeout(input);
    const options = { rentals: book, signal, deadlineMillis: DEADLINE_MILLIS };
    const { rentals, unknown, silent } = await client.reconcile(options);
    const elsewhere = unknown.filter(({ vm }) => vm.sharedBy === undefined);
    const there: Rental[] = [
      ...rentals.filter(({ isReachable }) => isReachable).map(({ rental }) => rental),
      ...elsewhere.map(({ provider, vm }) => ({ name: vm.name, provider, vm })),
    ];
    const lost = rentals.filter(({ isReachable }) => !isReachable).map(({ rental }) => rental);
    const unreached = [...lost.map(({ name }) => name), ...silent];
    if (unreached.length > 0 && !isSet(input, 'force')) {
      throw new GolemError('provider_offline', `Unreachable: ${unreached.join(', ')}.`, {
        hint: 'Wait for their providers, or forget them with --force: they then end with their leases.',
      });
    }
    for (const provider of silent) {
      note(`golem: ${provider} does not answer: what you may have there ends with its lease.`);
    }
    const [own, shared] = [there.filter((one) => !isShared(one)), there.filter(isShared)];
    if (own.length + shared.length + lost.length === 0) {
      if (silent.length === 0) note('You rent nothing: there is nothing to destroy.');
      return [];
    }
    await agree(context, input, `Destroy everything you rent (${namesOf([...own, ...lost])})?`);
    const gone = await each(context, own, (one) => destroyOne(context, one, input, timeout));
    for (const rental of [...lost, ...shared]) {
      await forgetHere(book, rental);
      note(`${rental.name}: forgotten`);
    }
    return gone;
  },
  present: (gone) => ({
    lines: [],
    ids: gone.flatMap(({ id }) => id ?? []),
    names: gone.map(({ name }) => name),
  }),
};

/** Somebody else's is not ours to destroy. */
function isShared({ vm }: Rental): boolean {
  return vm?.sharedBy !== undefined;
}

function namesOf(rentals: readonly Rental[]): string {
  return rentals.length === 0 ? 'nothing' : rentals.map(({ name }) => name).join(', ');
}
