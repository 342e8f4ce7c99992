/** `golem vm list`: what one rents, as the providers see it. */
import { vmTable, type VmOutput } from '../../presenters/vms.ts';
import { isSet, type Command } from '../command.ts';
import { vmOutput } from '../work/output.ts';

/** Longer than that a list is not worth waiting for; whoever is late is shown as unreachable. */
const DEADLINE_MILLIS = 2_000;

export const list: Command<VmOutput[]> = {
  name: 'list',
  usage: '',
  args: { min: 0, max: 0 },
  options: [{ name: 'cached', summary: 'ask nobody: what was last known' }],
  examples: ['golem vm list', 'golem vm list -o json'],

  async run({ client, book, signal, note }, input) {
    if (isSet(input, 'cached')) return (await book.all()).map((entry) => vmOutput(entry));
    const options = { rentals: book, signal, deadlineMillis: DEADLINE_MILLIS };
    const { rentals, unknown } = await client.reconcile(options);
    const shared = unknown.filter(({ vm }) => vm.sharedBy !== undefined);
    for (const { provider, vm } of shared) {
      note(`Somebody shares a VM with you: golem vm accept ${provider}/${vm.id}`);
    }
    return [
      ...rentals.map(({ rental, ...reach }) => vmOutput(rental, reach)),
      ...shared.map(({ provider, vm }) => vmOutput({ name: vm.name, provider, vm })),
    ];
  },
  present: vmTable,
};
