/** Commands that bring VMs into another state, all in the same way. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { VmState } from '@vm-on-golem/shared/vm';
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
  /** Where the VM is to be: one that is there already need not be brought there. */
  readonly target?: VmState;
  /** Where it may come from, where the provider would allow more. */
  readonly from?: VmState;
  readonly examples: readonly string[];
}

export function lifeCommand(options: LifeOptions): Command<VmOutput[]> {
  const { name, examples } = options;
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
        const done = await finished(context, entry, { ...options, input, timeout });
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

interface Change extends LifeOptions {
  readonly input: Input;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Carries out one change, if there is one to carry out. */
async function finished(context: Context, rental: Rental, change: Change): Promise<Rental> {
  const { target, from } = change;
  const look = () => context.client.look(rental, { rentals: context.book, signal: context.signal });
  const isThere = ({ vm }: Rental) => target !== undefined && vm?.state === target;
  const already = (seen: Rental) => {
    context.note(`${rental.name}: is ${target} already`);
    return seen;
  };
  if (from !== undefined) {
    const seen = await look();
    if (isThere(seen)) return already(seen);
    if (seen.vm?.state === 'stopped') {
      throw new GolemError('wrong_state', `'${rental.name}' is stopped, not ${from}.`, {
        hint: `Boot it: golem vm start ${rental.name}`,
      });
    }
  }
  try {
    return await carriedOut(context, rental, change);
  } catch (error) {
    if (!(error instanceof GolemError) || error.code !== 'wrong_state') throw error;
    const seen = await look();
    if (isThere(seen)) return already(seen);
    throw error;
  }
}

/** Says on Ctrl-C what goes on and how to undo it. */
function carriedOut(
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
