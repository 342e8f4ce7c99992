/** `golem vm wait`: until a VM that is being created is ready. */
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import { option, type Command } from '../command.ts';
import { vmOutput } from '../work/output.ts';
import { findEntry } from '../read/reference.ts';
import { DEFAULT_TIMEOUT, settle } from '../work/settle.ts';
import { readDuration } from '../read/spec.ts';

export const wait: Command<VmOutput> = {
  name: 'wait',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [{ name: 'timeout', value: 'TIME', summary: `how long (${DEFAULT_TIMEOUT})` }],
  examples: ['golem vm create web --no-wait && golem vm wait web'],

  async run(context, input) {
    const [reference = ''] = input.args;
    const timeout = readDuration('timeout', option(input, 'timeout') ?? DEFAULT_TIMEOUT);
    return vmOutput(await settle(context, await findEntry(context, reference), timeout));
  },
  present: vmDetails,
};
