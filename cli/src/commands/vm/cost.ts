/** `golem vm cost`: what VMs have cost, as their providers wrote it down; those that are gone included. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { formatUsd } from '@vm-on-golem/shared/usd';
import { costTable, type CostOutput } from '../../presenters/costs.ts';
import type { Command, Context } from '../command.ts';
import { findReady } from '../read/reference.ts';

/** How long discovery is asked where something was rented that is gone. */
const HINT_MILLIS = 5_000;

export const cost: Command<CostOutput[]> = {
  name: 'cost',
  usage: '[NAME]',
  args: { min: 0, max: 1 },
  options: [],
  examples: ['golem vm cost', 'golem vm cost web -o json'],

  async run(context, { args: [reference] }) {
    if (reference !== undefined) {
      const { provider, vm } = await findReady(context, reference);
      return summed(context, [await costAt(context, provider, vm.id)]);
    }
    return summed(context, await everywhere(context));
  },
  present: costTable,
};

function summed({ note }: Context, costs: CostOutput[]): CostOutput[] {
  const sum = costs.reduce((all, { totalNanoUsd }) => all + totalNanoUsd, 0);
  if (costs.length > 0) note(`All up to now: ${formatUsd(sum)}`);
  return costs;
}

/** Of all providers that say so; it is said who does not. @throws what the first one said if none does */
async function everywhere(context: Context): Promise<CostOutput[]> {
  const known = (await context.book.all()).map(({ provider }) => provider);
  const providers = [...new Set([...known, ...(await hinted(context))])];
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
  return costs;
}

async function hinted({ client, signal, note }: Context): Promise<string[]> {
  const ids: string[] = [];
  try {
    const options = { signal, deadlineMillis: HINT_MILLIS };
    for await (const id of client.myProviders(options)) ids.push(id);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof GolemError)) throw error;
    note(`golem: providers where you have nothing any more may be missing: ${error.message}`);
  }
  return ids;
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
