/** `golem-provider status`: what the agent that runs here does. */
import { statusLines } from '../presenters/status.ts';
import { command } from './command.ts';
import { runningAgent } from './running.ts';

export const status = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider status', 'golem-provider status -o json'],
  settings: ['data-dir'],
  options: [],
  run: (input, around) => runningAgent(input, around).status(),
  present: (status) => statusLines(status, Date.now()),
});
