/** `golem-provider orphans`: guests of the hypervisor that belong to no VM. */
import { orphanLines } from '../../presenters/vms.ts';
import { command } from '../command.ts';
import { runningAgent } from '../running.ts';

export const list = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider orphans', 'golem-provider orphans -o json'],
  settings: ['data-dir'],
  options: [],
  run: (input, around) => runningAgent(input, around).orphans(),
  present: ({ orphans }) => orphanLines(orphans, Date.now()),
});
