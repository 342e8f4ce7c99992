/** `golem vm list`: what one rents, as the providers see it. */
import { vmTable, type VmOutput } from '../../presenters/vms.ts';
import { isSet, type LocalCommand } from '../command.ts';
import { vmOutput } from '../work/output.ts';
import { readCached } from '../../state/cached.ts';

/** Longer than that a list is not worth waiting for; whoever is late is shown as unreachable. */
const DEADLINE_MILLIS = 2_000;

export const list: LocalCommand<VmOutput[]> = {
  name: 'list',
  isLocal: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [{ name: 'cached', summary: 'ask nobody: what was last known' }],
  examples: ['golem vm list', 'golem vm list -o json'],
  about: [
    'What is remembered on this machine is a cache. VMs that were rented from elsewhere with the same key are found through the discovery service and their providers, and remembered.',
    'What a provider says to be yours without a proof that your key ordered it is shown with a question mark, and is neither remembered nor known to ssh before you take it up with golem vm accept.',
    'It takes no longer than two seconds: VMs of a provider that has not answered by then are shown as unreachable, as they were last known.',
  ],

  async run(context, input) {
    if (isSet(input, 'cached')) {
      return readCached(context.paths.vms).map((entry) => vmOutput(entry));
    }
    const [client, { roster }] = await Promise.all([
      context.openClient(),
      import('../work/roster.ts'),
    ]);
    return roster({ ...context, client }, DEADLINE_MILLIS);
  },
  present: vmTable,
};
