/** `golem vm renew`: keeps VMs for longer; brings back one whose lease has ended. */
import { silent } from '../work/life.ts';
import type { VmOutput } from '../../presenters/vms.ts';
import { option, type Command } from '../command.ts';
import { readDuration } from '../read/duration.ts';
import { findReady } from '../read/reference.ts';
import { readSelection, SELECTION_OPTIONS } from '../read/selection.ts';
import { each } from '../work/each.ts';
import { vmOutput } from '../work/output.ts';

export const renew: Command<VmOutput[]> = {
  name: 'renew',
  usage: 'NAME...',
  args: { min: 0, max: 100 },
  options: [
    ...SELECTION_OPTIONS,
    { name: 'for', value: 'TIME', summary: 'from now on; otherwise as long as the provider gives' },
  ],
  examples: ['golem vm renew web', 'golem vm renew --all --for 7d'],

  async run(context, input) {
    const { client, book, signal, note } = context;
    const time = option(input, 'for');
    const seconds = time === undefined ? undefined : readDuration('for', time) / 1000;
    return each(context, await readSelection(context, input), async ({ name }) => {
      const entry = await findReady(context, name);
      const renewed = await client.renew(entry, seconds, { rentals: book, signal });
      note(`${name}: yours until ${renewed.vm?.leaseUntil ?? 'you destroy it'}`);
      return vmOutput(renewed);
    });
  },
  present: silent,
};
