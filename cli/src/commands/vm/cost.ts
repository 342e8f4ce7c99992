/** `golem vm cost`: what VMs have cost, as their providers wrote it down; those that are gone included. */
import { formatUsd } from '@vm-on-golem/shared/usd';
import { costTable, type CostOutput } from '../../presenters/costs.ts';
import type { Command, Context } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { each } from '../work/each.ts';

export const cost: Command<CostOutput[]> = {
  name: 'cost',
  usage: '[NAME]',
  args: { min: 0, max: 1 },
  options: [],
  examples: ['golem vm cost', 'golem vm cost web -o json'],

  async run(context, { args: [reference] }) {
    const costs = await asked(context, reference);
    const sum = costs.reduce((all, { totalNanoUsd }) => all + totalNanoUsd, 0);
    if (costs.length > 0) context.note(`All up to now: ${formatUsd(sum)}`);
    return costs;
  },
  present: costTable,
};

async function asked(context: Context, reference: string | undefined): Promise<CostOutput[]> {
  if (reference !== undefined) {
    const { provider, vm } = await findReady(context, reference);
    return [await costAt(context, provider, vm.id)];
  }
  const known = (await context.book.all()).map(({ provider }) => provider);
  const providers = [...new Set(known)].map((name) => ({ name }));
  return each(context, providers, ({ name }) => costAt(context, name, undefined));
}

async function costAt(
  { client, signal }: Context,
  provider: string,
  vmId: string | undefined,
): Promise<CostOutput> {
  const { total, vms } = await client.books.cost(provider, vmId, { signal });
  return {
    provider,
    totalNanoUsd: total,
    vms: vms.map(({ recorded, ...vm }) => ({ ...vm, recordedNanoUsd: recorded })),
  };
}
