/** What a person sees besides the data: notes, progress and questions, all on stderr. */
import { createInterface, type Interface } from 'node:readline/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Context } from '../commands/command.ts';
import { printable } from '../presenters/printable.ts';

const CLEAR_LINE = '\r\u001b[2K';
/** How often a live line is drawn again, as there is a time in it. */
const REDRAW_MILLIS = 500;

export interface Terminal extends Pick<Context, 'note' | 'progress' | 'confirm'> {
  /** Leaves the line that is being drawn as it is: something else is printed next. */
  settle(): void;
}

export function openTerminal(
  stderr: NodeJS.WriteStream,
  stdin: NodeJS.ReadStream,
  { isTerse }: { readonly isTerse: boolean },
): Terminal {
  let drawn: string | undefined;
  let redrawing: NodeJS.Timeout | undefined;

  const draw = (text: string) => {
    // A line that wraps cannot be drawn over.
    drawn = text.slice(0, Math.max(1, stderr.columns - 1));
    stderr.write(CLEAR_LINE + drawn);
  };
  const settle = () => {
    clearInterval(redrawing);
    if (drawn !== undefined) stderr.write('\n');
    drawn = undefined;
  };
  return {
    settle,
    note: (line) => {
      if (isTerse) return;
      settle();
      stderr.write(`${printable(line)}\n`);
    },
    progress: (line, isLast = false) => {
      if (isTerse) return;
      if (!stderr.isTTY) {
        stderr.write(`${line()}\n`);
        return;
      }
      clearInterval(redrawing);
      draw(line());
      if (isLast) settle();
      // Drawing is nothing to stay alive for.
      else redrawing = setInterval(() => draw(line()), REDRAW_MILLIS).unref();
    },
    confirm: async (question) => {
      if (!stdin.isTTY || !stderr.isTTY) return false;
      settle();
      return ask(createInterface({ input: stdin, output: stderr }), `${question} [y/N] `);
    },
  };
}

/** @throws {GolemError} `interrupted` by Ctrl-C; the end of the input means no */
async function ask(prompt: Interface, question: string): Promise<boolean> {
  const ended = new AbortController();
  let isInterrupted = false;
  prompt.once('SIGINT', () => {
    isInterrupted = true;
    prompt.close();
  });
  prompt.once('close', () => ended.abort());
  try {
    const answer = await prompt.question(question, { signal: ended.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (cause) {
    if (isInterrupted) throw new GolemError('interrupted', undefined, { cause });
    if (ended.signal.aborted) return false;
    throw cause;
  } finally {
    prompt.close();
  }
}
