/** `golem-provider logs`: what the agent writes down, now and as it goes on. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { readSetting } from '../config/config.ts';
import { logFileOf } from '../log/log.ts';
import { logLine } from '../presenters/log.ts';
import { command, type Input, type Surroundings } from './command.ts';
import { untilInterrupted } from './interruption.ts';
import { runningAgent } from './running.ts';
import { tail } from './tail.ts';

const DEFAULT_LINES = 20;
const MAX_LINES = 1_000_000;

export const logs = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider logs', 'golem-provider logs -f', 'golem-provider logs -n 500 -o json'],
  settings: ['data-dir', 'log-file'],
  options: [
    { name: 'follow', short: 'f', help: 'go on until Ctrl-C' },
    {
      name: 'lines',
      short: 'n',
      value: 'N',
      help: `how many of those that are there (${DEFAULT_LINES})`,
    },
  ],
  run: async (input, around) => {
    const lines = Number(input.options['lines'] ?? DEFAULT_LINES);
    if (!Number.isInteger(lines) || lines < 0 || lines > MAX_LINES) {
      throw new GolemError('usage', `-n takes a whole number up to ${MAX_LINES}.`);
    }
    const file = await logFile(input, around);
    using interruption = untilInterrupted(around);
    const { signal } = interruption;
    const following = input.options['follow'] === true ? { signal } : {};
    try {
      for await (const line of tail(file, { lines, ...following })) {
        around.stdout.write(`${input.asJson ? line : logLine(line)}\n`);
        if (signal.aborted) break;
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      throw new GolemError('not_found', `There is no log yet: ${file}`, { cause });
    }
  },
});

/** @throws {GolemError} `not_found` when the log is nowhere that can be read again */
async function logFile(input: Input, around: Surroundings): Promise<string> {
  const { flags } = input;
  // What is wrong with the file was said when the agent was looked for.
  const said = () => undefined;
  const file =
    (await runningLogFile(input, around)) ??
    logFileOf({
      'data-dir': readSetting('data-dir', flags, around.env, said),
      'log-file': readSetting('log-file', flags, around.env, said),
    });
  if (file !== '-') return file;
  throw new GolemError('not_found', 'The log goes to stderr, and into no file.', {
    hint: 'Of a service see journalctl -u golem-provider, or set log-file.',
  });
}

/** Null when there is no agent. */
async function runningLogFile(input: Input, around: Surroundings): Promise<string | null> {
  try {
    return (await runningAgent(input, around).status()).logFile ?? '-';
  } catch (error) {
    if (error instanceof GolemError && error.code === 'not_running') return null;
    throw error;
  }
}
