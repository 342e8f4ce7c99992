/** `golem vm usage`: what VMs have cost, as their providers wrote it down; those that are gone included. */
import type { UsageRecord } from '@vm-on-golem/shared/vm-records';
import { usageTable, type UsageOutput } from '../../presenters/usage.ts';
import type { Command, Context } from '../command.ts';
import { findReady } from '../read/reference.ts';

const HOUR_MILLIS = 3_600_000;

export const usage: Command<UsageOutput[]> = {
  name: 'usage',
  usage: '[NAME]',
  args: { min: 0, max: 1 },
  options: [],
  examples: ['golem vm usage', 'golem vm usage web -o json'],

  async run(context, { args: [reference] }) {
    if (reference !== undefined) {
      const { provider, vm } = await findReady(context, reference);
      return [await usageAt(context, provider, vm.id)];
    }
    const providers = new Set((await context.book.all()).map(({ provider }) => provider));
    return Promise.all([...providers].map((provider) => usageAt(context, provider, undefined)));
  },
  present: usageTable,
};

async function usageAt(
  { client, signal }: Context,
  provider: string,
  vmId: string | undefined,
): Promise<UsageOutput> {
  const vms = new Map<string, Account>();
  let total = 0;
  for await (const page of client.books.usage(provider, vmId, { signal })) {
    ({ total } = page);
    for (const record of page.records) {
      const account = vms.get(record.vmId) ?? new Account(record);
      vms.set(record.vmId, account.add(record));
    }
  }
  return {
    provider,
    totalNanoUsd: total,
    vms: [...vms.values()].map((account) => account.shown()),
  };
}

/** What is recorded about one VM. Exact: divided and rounded once. */
class Account {
  readonly #vm: Pick<UsageRecord, 'vmId' | 'name'>;
  #weight = 0n;
  #running = 0;
  #stored = 0;

  constructor(vm: Pick<UsageRecord, 'vmId' | 'name'>) {
    this.#vm = vm;
  }

  add({ from, to, running, hourlyPrice }: UsageRecord): this {
    const millis = Date.parse(to) - Date.parse(from);
    this.#weight += BigInt(hourlyPrice) * BigInt(millis);
    if (running) this.#running += millis;
    else if (hourlyPrice > 0) this.#stored += millis;
    return this;
  }

  shown(): UsageOutput['vms'][number] {
    return {
      id: this.#vm.vmId,
      name: this.#vm.name,
      runningHours: this.#running / HOUR_MILLIS,
      storedHours: this.#stored / HOUR_MILLIS,
      recordedNanoUsd: Number(this.#weight / BigInt(HOUR_MILLIS)),
    };
  }
}
