/** What VMs have cost. */
import { formatUsd } from '@vm-on-golem/shared/usd';
import type { View } from './view.ts';

export interface UsageOutput {
  readonly provider: string;
  /** The time up to now included. */
  readonly totalNanoUsd: number;
  /** What is recorded: an hour may be missing that is not over. */
  readonly vms: readonly {
    readonly id: string;
    readonly name: string;
    /** Processors, memory and disk were charged. */
    readonly runningHours: number;
    /** The disk alone was charged. */
    readonly storedHours: number;
    readonly recordedNanoUsd: number;
  }[];
}

export function usageTable(usages: readonly UsageOutput[]): View {
  return {
    table: {
      columns: [
        { title: 'NAME' },
        { title: 'RUNNING', right: true },
        { title: 'STORED', right: true },
        { title: 'COST', right: true },
        { title: 'PROVIDER' },
        { title: 'ID' },
      ],
      rows: usages.flatMap(({ provider, totalNanoUsd, vms }) => [
        ...vms.map((vm) => [
          vm.name,
          hours(vm.runningHours),
          hours(vm.storedHours),
          formatUsd(vm.recordedNanoUsd),
          provider,
          vm.id,
        ]),
        ['all up to now', '', '', formatUsd(totalNanoUsd), provider, ''],
      ]),
      empty: 'You have no VMs.',
    },
    ids: usages.flatMap(({ vms }) => vms.map(({ id }) => id)),
    names: usages.flatMap(({ vms }) => vms.map(({ name }) => name)),
  };
}

function hours(amount: number): string {
  return `${amount.toFixed(2)}h`;
}
