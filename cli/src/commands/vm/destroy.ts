/** `golem vm destroy`: gives VMs back, with everything on their disks. */
import type { Rental } from '../../sdk/ports.ts';
import { isSet, type Command, type Context, type Input } from '../command.ts';
import { readSelection, SELECTION_OPTIONS } from '../read/selection.ts';
import { agree } from '../work/agree.ts';
import { each } from '../work/each.ts';
import { stageReporter } from '../work/stages.ts';
import { readTimeout, WAIT_OPTIONS, waiting } from '../work/waiting.ts';

export interface Destroyed {
  readonly id: string | null;
  readonly name: string;
}

export const destroy: Command<Destroyed[]> = {
  name: 'destroy',
  usage: 'NAME...',
  args: { min: 0, max: 100 },
  options: [...SELECTION_OPTIONS, ...WAIT_OPTIONS],
  examples: ['golem vm destroy web', 'golem vm destroy --yes --label kind=ci'],

  async run(context, input) {
    const timeout = readTimeout(input);
    const entries = await readSelection(context, input);
    if (entries.length === 0) return [];
    await agree(context, input, `Destroy ${listed(entries)} and everything on it?`);
    return each(context, entries, (entry) => destroyOne(context, entry, input, timeout));
  },
  present: (gone) => ({
    lines: [],
    ids: gone.flatMap(({ id }) => id ?? []),
    names: gone.map(({ name }) => name),
  }),
};

function listed(entries: readonly Rental[]): string {
  return entries.map(({ name }) => name).join(', ');
}

export async function destroyOne(
  context: Context,
  entry: Rental,
  input: Input,
  timeout: number,
): Promise<Destroyed> {
  const { client, book, note } = context;
  const { name, vm } = entry;
  const unfinished = {
    what: `The end of '${name}'`,
    hint: `It cannot be undone. Follow it: golem vm wait ${name}.`,
  };
  const wasThere = await waiting(context, timeout, unfinished, (signal) =>
    client.giveBack(entry, {
      ...{ rentals: book, signal, noWait: isSet(input, 'no-wait') },
      onStage: stageReporter(context, name),
    }),
  );
  if (!wasThere) note(`${name}: was gone already`);
  return { id: vm?.id ?? null, name };
}
