/** `golem vm restore`: puts a VM's disk back to what it was when a snapshot was taken. */
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import type { Command } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { agree } from '../work/agree.ts';
import { vmOutput } from '../work/output.ts';
import { atRest, checkRest, REST_OPTIONS } from '../work/rest.ts';
import { checked, checkThere } from './snapshot.ts';

export const restore: Command<VmOutput> = {
  name: 'restore',
  usage: 'NAME SNAPSHOT',
  args: { min: 2, max: 2 },
  options: REST_OPTIONS,
  examples: [
    'golem vm restore web before-upgrade',
    'golem vm restore web before-upgrade --stop -y',
  ],

  async run(context, input) {
    const [reference = '', name = ''] = input.args;
    const entry = await findReady(context, reference);
    await checkThere(context, entry, checked(name));
    await checkRest(context, input, entry, 'it cannot be restored');
    const question = `Put the disk of ${entry.name} back to ${name}, and lose what came after?`;
    await agree(context, input, question);
    const restored = await atRest(context, input, entry, {
      ...{ what: 'restoration', done: `put back to ${name}`, command: { restore: name } },
    });
    return vmOutput(restored);
  },
  present: (vm) => ({ ...vmDetails(vm), facts: [], lines: [] }),
};
