/** `golem vm destroy`: gives VMs back, with everything on their disks. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { isGone } from '../../sdk/wire/outcome.ts';
import type { VmEntry } from '../../state/book.ts';
import { isSet, type Command, type Context } from '../command.ts';
import { findEntry } from '../read/reference.ts';
import { stageReporter } from '../work/stages.ts';

interface Destroyed {
  readonly id: string | null;
  readonly name: string;
}

export const destroy: Command<Destroyed[]> = {
  name: 'destroy',
  usage: 'NAME...',
  args: { min: 1, max: 100 },
  options: [],
  examples: ['golem vm destroy web', 'golem vm destroy --yes ci-1 ci-2'],

  async run(context, input) {
    const entries = await Promise.all(input.args.map((reference) => findEntry(context, reference)));
    const names = entries.map(({ name }) => name).join(', ');
    if (
      !isSet(input, 'yes') &&
      !(await context.confirm(`Destroy ${names} and everything on it?`))
    ) {
      throw new GolemError('usage', `Nothing was destroyed.`, {
        hint: 'Say --yes where nobody can be asked.',
      });
    }
    for (const entry of entries) await destroyOne(context, entry);
    return entries.map(({ name, vm }) => ({ id: vm?.id ?? null, name }));
  },
  present: (gone) => ({
    lines: [],
    ids: gone.flatMap(({ id }) => id ?? []),
    names: gone.map(({ name }) => name),
  }),
};

async function destroyOne(context: Context, entry: VmEntry): Promise<void> {
  const { client, book, signal } = context;
  const { provider, name } = entry;
  try {
    // A creation of which no answer was seen goes by its name; what is destroyed, by its id.
    const id = entry.vm?.id ?? (await client.vms.get(provider, name, { signal })).id;
    await client.change(provider, id, 'destroy', { signal, onStage: stageReporter(context, name) });
  } catch (error) {
    // Signed by the provider: there is no such VM, which is what was wanted.
    if (!isGone(error)) throw error;
    context.note(`${name}: was gone already`);
  }
  await book.remove(name);
}
