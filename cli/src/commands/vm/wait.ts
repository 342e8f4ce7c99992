/** `golem vm wait`: until nothing is at work on VMs any more, a creation or anything else. */
import { isGone } from '../../sdk/wire/outcome.ts';
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import type { Command } from '../command.ts';
import { findEntry } from '../read/reference.ts';
import { vmOutput } from '../work/output.ts';
import { DEFAULT_TIMEOUT, readTimeout, settled } from '../work/waiting.ts';

export const wait: Command<VmOutput> = {
  name: 'wait',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [{ name: 'timeout', value: 'TIME', summary: `how long (${DEFAULT_TIMEOUT})` }],
  examples: [
    'golem vm create web --no-wait && golem vm wait web',
    'golem vm stop web --no-wait && golem vm wait web --timeout 1m',
  ],

  async run(context, input) {
    const entry = await findEntry(context, input.args[0] ?? '');
    try {
      return vmOutput(await settled(context, entry, readTimeout(input)));
    } catch (error) {
      // Its end is what was waited for.
      if (entry.vm?.state !== 'destroying' || !isGone(error)) throw error;
      context.note(`${entry.name}: gone`);
      return { ...vmOutput(entry), state: 'gone' };
    }
  },
  present: vmDetails,
};
