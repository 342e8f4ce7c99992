/** `golem-provider pause`: takes no new VMs, and leaves those alone that are here. */
import { modeLines } from '../presenters/mode.ts';
import { command } from './command.ts';
import { runningAgent } from './running.ts';

export const pause = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider pause'],
  settings: ['data-dir'],
  options: [],
  run: (input, around) => runningAgent(input, around).pause(),
  present: (mode) => modeLines(mode, Date.now()),
});
