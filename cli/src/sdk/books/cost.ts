/** Sums of what providers have recorded, VM by VM. Exact: divided and rounded once. */
import type { UsageRecord } from '@vm-on-golem/shared/vm-records';
import type { Usage } from './books.ts';

export interface Cost {
  /** nano-USD of all VMs; the time up to now included. */
  readonly total: number;
  /** nano-USD of the total that is in no record yet. */
  readonly unrecorded: number;
  /** What is recorded: an hour may be missing that is not over. */
  readonly vms: readonly VmCost[];
}

export interface VmCost {
  readonly id: string;
  readonly name: string;
  /** Processors, memory and disk were charged. */
  readonly runningHours: number;
  /** The disk alone was charged. */
  readonly storedHours: number;
  /** nano-USD. */
  readonly recorded: number;
  /** The end of its last record. ISO 8601. */
  readonly recordedUntil: string;
}

const HOUR_MILLIS = 3_600_000;

export async function costOf(pages: AsyncIterable<Usage>): Promise<Cost> {
  const accounts = new Map<string, Account>();
  let total = 0;
  for await (const page of pages) {
    ({ total } = page);
    for (const record of page.records) {
      const account = accounts.get(record.vmId) ?? new Account(record);
      accounts.set(record.vmId, account.add(record));
    }
  }
  const vms = [...accounts.values()].map((account) => account.sum());
  const recorded = vms.reduce((sum, vm) => sum + vm.recorded, 0);
  return { total, unrecorded: Math.max(0, total - recorded), vms };
}

class Account {
  readonly #vm: Pick<UsageRecord, 'vmId' | 'name'>;
  #weight = 0n;
  #running = 0;
  #stored = 0;
  #until = '';

  constructor(vm: Pick<UsageRecord, 'vmId' | 'name'>) {
    this.#vm = vm;
  }

  add({ from, to, running, hourlyPrice }: UsageRecord): this {
    const millis = Date.parse(to) - Date.parse(from);
    this.#weight += BigInt(hourlyPrice) * BigInt(millis);
    if (to > this.#until) this.#until = to;
    if (running) this.#running += millis;
    else if (hourlyPrice > 0) this.#stored += millis;
    return this;
  }

  sum(): VmCost {
    return {
      id: this.#vm.vmId,
      name: this.#vm.name,
      runningHours: this.#running / HOUR_MILLIS,
      storedHours: this.#stored / HOUR_MILLIS,
      recorded: Number(this.#weight / BigInt(HOUR_MILLIS)),
      recordedUntil: this.#until,
    };
  }
}
