/** `golem vm info`: one VM, as its provider sees it now. */
import { isGone } from '../../sdk/wire/outcome.ts';
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import type { Command } from '../command.ts';
import { vmOutput, withVm } from '../work/output.ts';
import { findEntry } from '../read/reference.ts';

export const info: Command<VmOutput> = {
  name: 'info',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem vm info web', 'golem vm info web -o json'],

  async run(context, { args: [reference = ''] }) {
    const { client, book, signal } = context;
    const entry = await findEntry(context, reference);
    try {
      const vm = await client.vms.get(entry.provider, entry.vm?.id ?? entry.name, { signal });
      if (!entry.pending) await book.put(withVm(entry, vm));
      return vmOutput({ ...entry, vm });
    } catch (error) {
      if (isGone(error) && !entry.pending) await book.remove(entry.name);
      throw error;
    }
  },
  present: vmDetails,
};
