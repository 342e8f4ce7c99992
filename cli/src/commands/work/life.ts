/** Commands that bring VMs into another state, all in the same way. */
import type { VmCommand } from '../../sdk/vms/commands.ts';
import type { Rental } from '../../sdk/ports.ts';
import { vmTable, type VmOutput } from '../../presenters/vms.ts';
import { isSet, type Command, type Context, type Input } from '../command.ts';
import { readSelection, SELECTION_OPTIONS } from '../read/selection.ts';
import { each } from './each.ts';
import { vmOutput } from './output.ts';
import { stageReporter } from './stages.ts';
import { readTimeout, WAIT_OPTIONS, waiting } from './waiting.ts';

export interface LifeOptions {
  readonly name: string;
  readonly command: Extract<VmCommand, string> & ('start' | 'stop' | 'restart' | 'suspend');
  /** The command that takes it back, where there is one. */
  readonly undo?: string;
  readonly examples: readonly string[];
}

export function lifeCommand({ name, command, undo, examples }: LifeOptions): Command<VmOutput[]> {
  return {
    name,
    usage: 'NAME...',
    args: { min: 0, max: 100 },
    options: [...SELECTION_OPTIONS, ...WAIT_OPTIONS],
    examples,

    async run(context, input) {
      const timeout = readTimeout(input);
      const entries = await readSelection(context, input);
      return each(context, entries, async (entry) => {
        const done = await finished(context, entry, { input, timeout, name, undo, command });
        return vmOutput(done);
      });
    },
    present: silent,
  };
}

/** Nothing for people: the stages have said it. */
export function silent(vms: readonly VmOutput[]) {
  return { ids: vmTable(vms).ids ?? [], names: vms.map((vm) => vm.name), lines: [] };
}

interface Change {
  readonly input: Input;
  /** Milliseconds. */
  readonly timeout: number;
  readonly name: string;
  readonly undo: string | undefined;
  readonly command: Exclude<VmCommand, 'destroy'>;
}

/** Carries out one change, and says on Ctrl-C what goes on and how to undo it. */
function finished(
  context: Context,
  rental: Rental,
  { input, timeout, name, undo, command }: Change,
): Promise<Rental> {
  const follow = `Follow it: golem vm wait ${rental.name}.`;
  const hint = undo === undefined ? follow : `${follow} Undo it: golem vm ${undo} ${rental.name}.`;
  const what = `The ${name} of '${rental.name}'`;
  return waiting(context, timeout, { what, hint }, (signal) =>
    context.client.apply(rental, command, {
      ...{ rentals: context.book, signal, noWait: isSet(input, 'no-wait') },
      onStage: stageReporter(context, rental.name),
    }),
  );
}
