/** What VMs would cost, and what they have cost. */
import { formatUsd } from '@vm-on-golem/shared/usd';
import { duration, memory, perHour, span } from './units.ts';
import type { View } from './view.ts';

/** What one provider would ask. */
export interface EstimateOutput {
  readonly provider: string;
  readonly name: string;
  readonly country: string;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly storageGiB: number;
  readonly hourlyPriceNanoUsd: number;
  readonly seconds: number;
  /** For all of the time. */
  readonly totalNanoUsd: number;
}

export function estimateTable(estimates: readonly EstimateOutput[]): View {
  const time = estimates[0] ? ` ${duration(estimates[0].seconds)}` : '';
  return {
    table: {
      columns: [
        { title: 'PROVIDER', fixed: true, priority: 2 },
        { title: 'NAME' },
        { title: 'COUNTRY', fixed: true, priority: 1 },
        { title: 'CPU', right: true, fixed: true },
        { title: 'MEMORY', right: true, fixed: true },
        { title: 'DISK', right: true, fixed: true },
        { title: 'PRICE', right: true, fixed: true },
        { title: `FOR${time}`, right: true, fixed: true },
      ],
      rows: estimates.map((one) => [
        one.provider.slice(0, 15),
        one.name,
        one.country,
        String(one.cpus),
        memory(one.memoryMiB),
        `${one.storageGiB}G`,
        perHour(one.hourlyPriceNanoUsd),
        formatUsd(one.totalNanoUsd),
      ]),
      empty: 'No provider offers this.',
    },
    ids: estimates.map(({ provider }) => provider),
    names: estimates.map(({ name }) => name),
  };
}

export interface CostOutput {
  readonly provider: string;
  /** The time up to now included. */
  readonly totalNanoUsd: number;
  /** What of the total is in no row: of hours that are not over. */
  readonly unrecordedNanoUsd: number;
  /** What is recorded: an hour may be missing that is not over. */
  readonly vms: readonly {
    readonly id: string;
    readonly name: string;
    /** Processors, memory and disk were charged. */
    readonly runningHours: number;
    /** The disk alone was charged. */
    readonly storedHours: number;
    readonly recordedNanoUsd: number;
    /** ISO 8601. */
    readonly recordedUntil: string;
  }[];
}

export function costTable(costs: readonly CostOutput[]): View {
  return {
    table: {
      columns: [
        { title: 'NAME' },
        { title: 'RUNNING', right: true, fixed: true },
        { title: 'STORED', right: true, fixed: true, priority: 3 },
        { title: 'COST', right: true, fixed: true },
        { title: 'PROVIDER', priority: 2 },
        { title: 'ID', fixed: true, priority: 1 },
      ],
      rows: costs.flatMap(({ provider, vms, unrecordedNanoUsd }) => [
        ...vms.map((vm) => [
          vm.name,
          hours(vm.runningHours),
          hours(vm.storedHours),
          formatUsd(vm.recordedNanoUsd),
          provider,
          vm.id,
        ]),
        // The rows add up to the total, unless what is missing is too little to be printed.
        ...(formatUsd(unrecordedNanoUsd) === formatUsd(0)
          ? []
          : [['(not recorded yet)', '-', '-', formatUsd(unrecordedNanoUsd), provider, '-']]),
      ]),
      empty: 'Nothing is recorded yet.',
    },
    ids: costs.flatMap(({ vms }) => vms.map(({ id }) => id)),
    names: costs.flatMap(({ vms }) => vms.map(({ name }) => name)),
  };
}

function hours(amount: number): string {
  return amount === 0 ? '-' : span(amount * 3_600_000);
}
