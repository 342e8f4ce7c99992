/** `golem-provider status`: what the agent that runs here does, once or as it goes on. */
import { statusLines } from '../presenters/status.ts';
import { command } from './command.ts';
import { runningAgent } from './running.ts';
import { watchStatus } from './watch.ts';

export const status = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider status',
    'golem-provider status --watch',
    'golem-provider status -o json',
  ],
  settings: ['data-dir'],
  options: [{ name: 'watch', short: 'w', help: 'go on, every second, until q or Ctrl-C' }],
  run: async (input, around) => {
    const agent = runningAgent(input, around);
    if (input.options['watch'] !== true) {
      const status = await agent.status();
      const lines = input.asJson ? [JSON.stringify(status)] : statusLines(status, Date.now());
      around.stdout.write(`${lines.join('\n')}\n`);
      return;
    }
    await watchStatus(() => agent.status(), around, { asJson: input.asJson, now: Date.now });
  },
});
