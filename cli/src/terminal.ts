/** What a person sees besides the data: notes, progress and questions, all on stderr. */
import { createInterface } from 'node:readline/promises';
import type { Context } from './commands/command.ts';

const CLEAR_LINE = '\r\u001b[2K';

export type Terminal = Pick<Context, 'note' | 'progress' | 'confirm'>;

export function openTerminal(
  stderr: NodeJS.WriteStream,
  stdin: NodeJS.ReadStream,
  isTerse: boolean,
): Terminal {
  let live = false;
  const note = (line: string) => {
    if (live) stderr.write(CLEAR_LINE);
    live = false;
    stderr.write(`${line}\n`);
  };
  return {
    note: (line) => {
      if (!isTerse) note(line);
    },
    progress: (line, done = false) => {
      if (isTerse) return;
      if (!stderr.isTTY) return note(line);
      stderr.write(`${CLEAR_LINE}${line}${done ? '\n' : ''}`);
      live = !done;
    },
    confirm: async (question) => {
      if (!stdin.isTTY || !stderr.isTTY) return false;
      const prompt = createInterface({ input: stdin, output: stderr });
      try {
        return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
      } finally {
        prompt.close();
      }
    },
  };
}
