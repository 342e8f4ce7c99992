/** `golem-provider stop`: ends the agent that runs here, and none of its guests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import { command } from './command.ts';
import { runningAgent } from './running.ts';

const DEFAULT_SECONDS = 60;
const POLL_MILLIS = 50;

export const stop = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider stop'],
  settings: ['data-dir'],
  options: [
    {
      name: 'timeout',
      value: 'SECONDS',
      help: `how long to wait for its end (${DEFAULT_SECONDS})`,
    },
  ],
  run: async (input, around) => {
    const seconds = Number(input.options['timeout'] ?? DEFAULT_SECONDS);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > 86_400) {
      throw new GolemError('usage', '--timeout takes whole seconds from 1 to 86400.');
    }
    const { pid } = await runningAgent(input, around).stop();
    const deadline = performance.now() + seconds * 1000;
    while (isAlive(pid)) {
      if (performance.now() > deadline) {
        throw new GolemError(
          'provider_timeout',
          `The agent (${pid}) still runs after ${seconds} s.`,
          {
            hint: 'It finishes what it is doing; wait, or see golem-provider logs.',
          },
        );
      }
      await sleep(POLL_MILLIS);
    }
    return { pid };
  },
  present: ({ pid }) => [`The agent (${pid}) has stopped. Its guests go on running.`],
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
