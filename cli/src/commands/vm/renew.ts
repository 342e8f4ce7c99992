/** `golem vm renew`: keeps VMs for longer; brings back one whose lease has ended. */
import { vmTable, type VmOutput } from '../../presenters/vms.ts';
import { option, type Command } from '../command.ts';
import { vmOutput, withVm } from '../work/output.ts';
import { findReady } from '../read/reference.ts';
import { readDuration } from '../read/spec.ts';

export const renew: Command<VmOutput[]> = {
  name: 'renew',
  usage: 'NAME...',
  args: { min: 1, max: 100 },
  options: [
    { name: 'for', value: 'TIME', summary: 'from now on; otherwise as long as the provider gives' },
  ],
  examples: ['golem vm renew web', 'golem vm renew web --for 7d'],

  async run(context, input) {
    const time = option(input, 'for');
    const seconds = time === undefined ? undefined : readDuration('for', time) / 1000;
    const outputs: VmOutput[] = [];
    for (const reference of input.args) {
      const entry = await findReady(context, reference);
      const vm = await context.client.vms.renew(entry.provider, entry.vm.id, seconds, {
        signal: context.signal,
      });
      const renewed = withVm(entry, vm);
      await context.book.put(renewed);
      context.note(`${entry.name}: yours until ${vm.leaseUntil ?? 'you destroy it'}`);
      outputs.push(vmOutput(renewed));
    }
    return outputs;
  },
  present: (vms) => ({ ids: vmTable(vms).ids ?? [], names: vms.map((vm) => vm.name), lines: [] }),
};
