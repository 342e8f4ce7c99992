/** `golem vm renew`: keeps VMs for longer; brings back one whose lease has ended. */
import type { Vm } from '@vm-on-golem/shared/vm';
import { silent } from '../work/life.ts';
import type { VmOutput } from '../../presenters/vms.ts';
import { option, type Command } from '../command.ts';
import { readLife } from '../read/duration.ts';
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
    {
      name: 'for',
      value: 'TIME',
      summary: 'at least so long from now on; otherwise as long as the provider gives',
    },
  ],
  examples: ['golem vm renew web', 'golem vm renew --all --for 7d'],
  about: ['A renewal makes no lease shorter: one that ends later stays as it is.'],

  async run(context, input) {
    const { client, book, signal, note } = context;
    const time = option(input, 'for');
    const seconds = time === undefined ? undefined : readLife('for', time);
    return each(context, await readSelection(context, input), async ({ name }) => {
      const entry = await findReady(context, name);
      const renewed = await client.renew(entry, seconds, { rentals: book, signal });
      note(`${name}: ${renewalText(entry.vm, renewed.vm)}`);
      return vmOutput(renewed);
    });
  },
  present: silent,
};

/** Ends of leases that are as near to each other are the same one: clocks are set now and then. */
const SAME_MILLIS = 1000;

function renewalText(before: Vm, after: Vm | undefined): string {
  const { leaseUntil, notice } = after ?? {};
  if (leaseUntil === undefined) return 'yours until you destroy it';
  const isAsBefore =
    before.leaseUntil !== undefined &&
    Math.abs(Date.parse(leaseUntil) - Date.parse(before.leaseUntil)) < SAME_MILLIS;
  const until = `yours until ${leaseUntil}`;
  if (notice?.kind === 'drain') return `${until}, but its provider stops all VMs at ${notice.at}`;
  return isAsBefore ? `${until} as before: a renewal makes no lease shorter` : until;
}
