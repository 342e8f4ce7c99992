/** `golem vm cost`: what VMs have cost, as their providers wrote it down; those that are gone included. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { formatUsd } from '@vm-on-golem/shared/usd';
import { costTable, type CostOutput } from '../../presenters/costs.ts';
import type { Command, Context } from '../command.ts';
import { findPast, pastProviders } from '../work/past.ts';

export const cost: Command<CostOutput[]> = {
  name: 'cost',
  usage: '[NAME]',
  args: { min: 0, max: 1 },
  options: [],
  examples: ['golem vm cost', 'golem vm cost web -o json'],
  about: [
    'Providers write down what an hour has cost when it is over, or the VM stops or goes: what is not recorded yet has a row of its own. Tables have millionths of a dollar, and `-o json` billionths.',
    'A name may be that of a VM that is gone.',
  ],

  async run(context, { args: [reference] }) {
    if (reference !== undefined) {
      const { provider, id } = await findPast(context, reference);
      return summed(context, [await costAt(context, provider, id)]);
    }
    return summed(context, await everywhere(context));
  },
  present: costTable,
};

function summed({ note }: Context, costs: CostOutput[]): CostOutput[] {
  const sum = costs.reduce((all, { totalNanoUsd }) => all + totalNanoUsd, 0);
  // Nothing was ever rented: the empty table says so.
  if (costs.some(({ totalNanoUsd, vms }) => totalNanoUsd > 0 || vms.length > 0))
    note(`All up to now: ${formatUsd(sum)}`);
  return costs;
}

/** Of all providers that say so; it is said who does not. @throws what the first one said if none does */
async function everywhere(context: Context): Promise<CostOutput[]> {
  const providers = await pastProviders(context);
  const costs: CostOutput[] = [];
  const errors: GolemError[] = [];
  await Promise.all(
    providers.map(async (provider) => {
      try {
        costs.push(await costAt(context, provider, undefined));
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof GolemError)) throw error;
        errors.push(error);
        context.note(`golem: ${provider.slice(0, 15)} is not in it: ${error.message}`);
      }
    }),
  );
  const [first] = errors;
  if (first && costs.length === 0) throw first;
  // A provider may be known because somebody shared a VM there: it has nothing on this bill.
  return costs.filter(({ totalNanoUsd, vms }) => totalNanoUsd > 0 || vms.length > 0);
}

async function costAt(
  { client, signal }: Context,
  provider: string,
  vmId: string | undefined,
): Promise<CostOutput> {
  const { total, unrecorded, vms } = await client.books.cost(provider, vmId, { signal });
  return {
    provider,
    totalNanoUsd: total,
    unrecordedNanoUsd: unrecorded,
    vms: vms.map(({ recorded, ...vm }) => ({ ...vm, recordedNanoUsd: recorded })),
  };
}
