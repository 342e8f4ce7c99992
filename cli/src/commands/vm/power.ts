/** `golem vm start` and `golem vm stop`. */
import { vmTable, type VmOutput } from '../../presenters/vms.ts';
import type { Command } from '../command.ts';
import { vmOutput, withVm } from '../work/output.ts';
import { findReady } from '../read/reference.ts';
import { stageReporter } from '../work/stages.ts';

const power = (name: 'start' | 'stop'): Command<VmOutput[]> => ({
  name,
  usage: 'NAME...',
  args: { min: 1, max: 100 },
  options: [],
  examples: [`golem vm ${name} web`],

  async run(context, { args }) {
    const outputs: VmOutput[] = [];
    for (const reference of args) {
      const entry = await findReady(context, reference);
      const onStage = stageReporter(context, entry.name);
      const { vm } = await context.client.change(entry.provider, entry.vm.id, name, {
        signal: context.signal,
        onStage,
      });
      const changed = vm ? withVm(entry, vm) : entry;
      await context.book.put(changed);
      outputs.push(vmOutput(changed));
    }
    return outputs;
  },
  present: (vms) => ({ ids: vmTable(vms).ids ?? [], names: vms.map((vm) => vm.name), lines: [] }),
});

export const start = power('start');
export const stop = power('stop');
