/** `golem vm events`: what happened to a VM, as its provider wrote it down; also after its end. */
import type { VmEvent } from '@vm-on-golem/shared/vm-records';
import type { Command } from '../command.ts';
import { readAddress } from './accept.ts';
import { findReady } from '../read/reference.ts';

export const events: Command<VmEvent[]> = {
  name: 'events',
  usage: 'NAME|PROVIDER/VM',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem vm events web', 'golem vm events gp_.../vm_... -o json'],

  async run(context, { args: [reference = ''] }) {
    const { client, signal } = context;
    if (reference.includes('/')) {
      const { provider, id } = readAddress(reference);
      return client.events.all(provider, id, { signal });
    }
    const { provider, vm } = await findReady(context, reference);
    return client.events.all(provider, vm.id, { signal });
  },
  present: (all) => ({
    table: {
      columns: [{ title: 'TIME' }, { title: 'BY' }, { title: 'WHAT' }, { title: 'MORE' }],
      rows: all.map(({ at, by, kind, message }) => [at, by, kind, message ?? '']),
      empty: 'Nothing is written down about it.',
    },
  }),
};
