/** Snapshots of a VM's disk. */
import type { View } from './view.ts';

export interface SnapshotOutput {
  readonly vm: string;
  readonly name: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

export function snapshotTable(snapshots: readonly SnapshotOutput[]): View {
  return {
    table: {
      columns: [{ title: 'SNAPSHOT' }, { title: 'TAKEN', fixed: true }, { title: 'VM' }],
      rows: snapshots.map(({ vm, name, createdAt }) => [name, createdAt, vm]),
      empty: 'It has no snapshots.',
    },
    names: snapshots.map(({ name }) => name),
  };
}
