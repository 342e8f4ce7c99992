/** What happened to a VM. */
import type { VmEvent } from '@vm-on-golem/shared/vm-records';
import type { View } from './view.ts';

export function eventTable(events: readonly VmEvent[]): View {
  return {
    table: {
      columns: [
        { title: 'TIME', fixed: true },
        { title: 'BY', fixed: true },
        { title: 'WHAT', fixed: true },
        { title: 'MORE' },
      ],
      rows: events.map(({ at, by, kind, message }) => [at, by, kind, message ?? '']),
      empty: 'Nothing is written down about it.',
    },
  };
}
