/** `golem vm console`: what a VM writes to its serial console, from its boot on. */
import { stripVTControlCharacters } from 'node:util';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { isSet, option, type Command, type Context, type Input } from '../command.ts';
import { readCount } from '../read/range.ts';
import { findReady } from '../read/reference.ts';

interface ConsoleOutput {
  readonly text: string;
}

export const console: Command<ConsoleOutput> = {
  name: 'console',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [
    { name: 'follow', short: 'f', summary: 'go on with what is written from now on' },
    {
      name: 'bytes',
      value: 'N',
      summary: `at most so many of its end (${LIMITS.vm.consoleBytes})`,
    },
  ],
  examples: ['golem vm console web', 'golem vm console web -f'],
  live: 'append',

  follow(context, input) {
    return isSet(input, 'follow') ? followed(context, input) : undefined;
  },

  async run(context, input) {
    const { client, signal } = context;
    const { provider, vm } = await findReady(context, input.args[0] ?? '');
    return {
      text: await client.console.tail(provider, vm.id, { bytes: readBytes(input), signal }),
    };
  },
  // Guests paint their consoles; what is shown here neither paints nor rings.
  present: ({ text }) => ({ lines: linesOf(text) }),
};

/** Whole lines, so that none is torn; what has no end yet comes when it has. */
async function* followed(context: Context, input: Input): AsyncGenerator<ConsoleOutput> {
  const { client, signal } = context;
  const { provider, vm } = await findReady(context, input.args[0] ?? '');
  let rest = '';
  const options = { bytes: readBytes(input), signal };
  for await (const text of client.console.follow(provider, vm.id, options)) {
    const end = (rest + text).lastIndexOf('\n') + 1;
    const lines = (rest + text).slice(0, end);
    rest = (rest + text).slice(end).slice(-LIMITS.vm.consoleBytes);
    if (lines !== '') yield { text: lines };
  }
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  const plain = stripVTControlCharacters(text).replace(/\r?\n$/, '');
  return plain.split(/\r?\n/);
}

function readBytes(input: Input): number | undefined {
  const text = option(input, 'bytes');
  return text === undefined ? undefined : readCount('bytes', text, LIMITS.vm.consoleBytes);
}
