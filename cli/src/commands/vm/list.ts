/** `golem vm list`: what one rents, as the providers see it. */
import { endOf, vmTable, type VmOutput } from '../../presenters/vms.ts';
import { isSet, type Input, type LocalCommand, type LocalContext } from '../command.ts';
import { span } from '../../presenters/units.ts';
import { vmOutput } from '../work/output.ts';
import { readCached } from '../../state/cached.ts';

/** Longer than that a list is not worth waiting for; whoever is late is shown as unreachable. */
const DEADLINE_MILLIS = 2_000;
/** An end that is nearer is said in words: after it the VM is stopped, and then its disk is gone. */
const SOON_MILLIS = 3_600_000;

export const list: LocalCommand<VmOutput[]> = {
  name: 'list',
  isLocal: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [
    { name: 'cached', summary: 'ask nobody: what was last known' },
    {
      name: 'label',
      value: 'KEY=VALUE',
      summary: 'only those with this label',
      repeatable: true,
    },
  ],
  examples: ['golem vm list', 'golem vm list --label kind=ci', 'golem vm list -o json'],
  about: [
    'What is remembered on this machine is a cache. VMs that were rented from elsewhere with the same key are found through the discovery service and their providers, and remembered.',
    'What a provider says to be yours without a proof that your key ordered it is shown with a question mark, and is neither remembered nor known to ssh before you take it up with golem vm accept.',
    'It takes no longer than two seconds: VMs of a provider that has not answered by then are shown as unreachable, as they were last known.',
  ],

  async run(context, input) {
    const isMeant = await filterOf(input);
    const vms = (await all(context, input)).filter(isMeant);
    for (const vm of vms) warnOfEnd(context, vm);
    return vms;
  },
  present: (vms) => vmTable(vms),
};

async function all(context: LocalContext, input: Input): Promise<VmOutput[]> {
  if (isSet(input, 'cached')) {
    return readCached(context.paths.vms).map((entry) => vmOutput(entry));
  }
  const [client, { roster }] = await Promise.all([
    context.openClient(),
    import('../work/roster.ts'),
  ]);
  return roster({ ...context, client }, DEADLINE_MILLIS);
}

/** @throws {GolemError} `usage` */
async function filterOf({ options }: Input): Promise<(vm: VmOutput) => boolean> {
  const texts = options['label'] ?? [];
  if (texts.length === 0) return () => true;
  const { readLabel } = await import('../read/selection.ts');
  const labels = texts.map(readLabel);
  return (vm) => labels.every(([key, value]) => vm.labels[key] === value);
}

/** What was said to end by then by its owner needs no warning, and what is over has another. */
function warnOfEnd({ note, now }: LocalContext, vm: VmOutput): void {
  const left = (endOf(vm) ?? Infinity) - now();
  const isLease = vm.leaseUntil !== null && endOf(vm) === Date.parse(vm.leaseUntil);
  // What is nobody's for sure has no name that a command takes.
  const isNamed = vm.sharedBy === null && !vm.isUnknown;
  if (!isLease || !isNamed || left <= 0 || left >= SOON_MILLIS) return;
  note(`golem: the lease of ${vm.name} ends in ${span(left)}: golem vm renew ${vm.name}`);
}
