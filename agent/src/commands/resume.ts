/** `golem-provider resume`: takes new VMs again, and ends a drain. */
import { modeLines } from '../presenters/mode.ts';
import { command } from './command.ts';
import { runningAgent } from './running.ts';

export const resume = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider resume'],
  settings: ['data-dir'],
  options: [],
  run: (input, around) => runningAgent(input, around).resume(),
  present: (mode) => modeLines(mode, Date.now()),
});
