/** `golem-provider vms`: whose VMs run here. */
import { vmLines } from '../presenters/vms.ts';
import { command } from './command.ts';
import { runningAgent } from './running.ts';

export const vms = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider vms', 'golem-provider vms -o json'],
  settings: ['data-dir'],
  options: [],
  run: (input, around) => runningAgent(input, around).vms(),
  present: ({ vms }) => vmLines(vms, Date.now()),
});
