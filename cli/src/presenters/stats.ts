/** What VMs use. */
import { bytes } from './units.ts';
import type { View } from './view.ts';

export interface StatsOutput {
  readonly id: string;
  readonly name: string;
  /** What it was given. */
  readonly cpus: number;
  readonly memoryMiB: number;
  /** When it was counted. ISO 8601. */
  readonly at: string;
  /** Since the guest was last started. What is null the hypervisor does not say. */
  readonly cpuSeconds: number | null;
  readonly memoryBytes: number | null;
  readonly diskBytes: number | null;
  readonly receivedBytes: number | null;
  readonly sentBytes: number | null;
  /** Of one processor, since the look before. */
  readonly cpuPercent: number | null;
  readonly receivedBytesPerSecond: number | null;
  readonly sentBytesPerSecond: number | null;
}

export function statsTable(stats: StatsOutput): View {
  const { name, id, cpus, memoryMiB } = stats;
  return {
    table: {
      columns: [
        { title: 'NAME' },
        { title: 'CPU', right: true, fixed: true },
        { title: 'MEMORY', right: true, fixed: true },
        { title: 'DISK', right: true, fixed: true, priority: 1 },
        { title: 'RECEIVED', right: true, fixed: true, priority: 2 },
        { title: 'SENT', right: true, fixed: true, priority: 2 },
        { title: 'CPU TIME', right: true, fixed: true, priority: 3 },
      ],
      rows: [
        [
          name,
          stats.cpuPercent === null ? '-' : `${stats.cpuPercent.toFixed(1)}% of ${cpus * 100}%`,
          stats.memoryBytes === null
            ? '-'
            : `${bytes(stats.memoryBytes)} of ${bytes(memoryMiB * 1024 * 1024)}`,
          stats.diskBytes === null ? '-' : bytes(stats.diskBytes),
          traffic(stats.receivedBytes, stats.receivedBytesPerSecond),
          traffic(stats.sentBytes, stats.sentBytesPerSecond),
          stats.cpuSeconds === null ? '-' : `${stats.cpuSeconds.toFixed(1)}s`,
        ],
      ],
      empty: '',
    },
    ids: [id],
    names: [name],
  };
}

function traffic(total: number | null, perSecond: number | null): string {
  if (total === null) return '-';
  return perSecond === null ? bytes(total) : `${bytes(total)} (${bytes(perSecond)}/s)`;
}
