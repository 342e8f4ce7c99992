/** `golem vm list`: what one rents, as the providers see it. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';
import { vmTable, type VmOutput } from '../../presenters/vms.ts';
import type { VmEntry } from '../../state/book.ts';
import { isSet, type Command, type Context } from '../command.ts';
import { vmOutput, withVm } from '../work/output.ts';

/** Longer than that a list is not worth waiting for; whoever is late is shown as unreachable. */
const DEADLINE_MILLIS = 2_000;

export const list: Command<VmOutput[]> = {
  name: 'list',
  usage: '',
  args: { min: 0, max: 0 },
  options: [{ name: 'cached', summary: 'ask nobody: what was last known' }],
  examples: ['golem vm list', 'golem vm list -o json'],

  async run(context, input) {
    const entries = await context.book.all();
    if (isSet(input, 'cached')) return entries.map((entry) => vmOutput(entry));
    const providers = [...new Set(entries.map(({ provider }) => provider))];
    const answers = new Map(
      await Promise.all(providers.map(async (id) => [id, await askProvider(context, id)] as const)),
    );
    const outputs = await Promise.all(
      entries.map(async (entry) => {
        const vms = answers.get(entry.provider);
        return vms ? reconcile(context, entry, vms) : vmOutput(entry, false);
      }),
    );
    const known = new Set(entries.map(({ vm }) => vm?.id));
    const offered = [...answers].flatMap(([provider, vms = []]) =>
      vms
        .filter(({ id, sharedBy }) => sharedBy !== undefined && !known.has(id))
        .map((vm) => vmOutput({ name: vm.name, provider, vm, sshKey: '' })),
    );
    for (const { provider, id } of offered) {
      context.note(`Somebody shares a VM with you: golem vm accept ${provider}/${id}`);
    }
    return [...outputs.filter((output) => output !== undefined), ...offered];
  },
  present: vmTable,
};

/** @returns undefined when the provider cannot be reached, or its answer is not its own */
async function askProvider(
  { client, signal }: Context,
  provider: string,
): Promise<Vm[] | undefined> {
  try {
    return await client.vms.list(provider, { signal, deadlineMillis: DEADLINE_MILLIS });
  } catch (error) {
    if (error instanceof GolemError && error.code !== 'interrupted') return undefined;
    throw error;
  }
}

/** @returns undefined for a VM that its provider has signed not to have */
async function reconcile(
  { book }: Context,
  entry: VmEntry,
  vms: readonly Vm[],
): Promise<VmOutput | undefined> {
  const vm = vms.find(({ id, name, sharedBy }) =>
    entry.vm ? id === entry.vm.id : name === entry.name && sharedBy === undefined,
  );
  if (vm) {
    // A creation is followed to its end by `wait`, which pins the host key.
    if (!entry.pending) await book.put(withVm(entry, vm));
    return vmOutput({ ...entry, vm });
  }
  if (entry.pending && !entry.pending.operation) return vmOutput(entry);
  await book.remove(entry.name);
  return undefined;
}
