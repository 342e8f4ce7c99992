/** What a person sees besides the data: notes, progress and questions, all on stderr. */
import type { Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Context } from '../commands/command.ts';
import { cut } from '../presenters/columns.ts';
import { printable } from '../presenters/printable.ts';

const CLEAR_LINE = '\r\u001b[2K';
/** How often a live line is drawn again, as there is a time in it. */
const REDRAW_MILLIS = 500;

export interface TerminalOptions {
  /** Says nothing that is no error. */
  readonly isTerse: boolean;
  /** Agrees to everything. */
  readonly isAgreed: boolean;
  /** Asks nothing, even where somebody is there. */
  readonly isSilent: boolean;
}

export interface Terminal extends Pick<Context, 'note' | 'progress' | 'confirm' | 'ask'> {
  /** Leaves the line that is being drawn as it is: something else is printed next. */
  settle(): void;
}

export function openTerminal(
  stderr: NodeJS.WriteStream,
  stdin: NodeJS.ReadStream,
  { isTerse, isAgreed, isSilent }: TerminalOptions,
): Terminal {
  let drawn: string | undefined;
  let redrawing: NodeJS.Timeout | undefined;

  const draw = (text: string) => {
    // A line that wraps cannot be drawn over.
    drawn = cut(printable(text), Math.max(1, stderr.columns - 1));
    stderr.write(CLEAR_LINE + drawn);
  };
  const settle = () => {
    clearInterval(redrawing);
    if (drawn !== undefined) stderr.write('\n');
    drawn = undefined;
  };
  const mayAsk = () => !isSilent && stdin.isTTY && stderr.isTTY;
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
        stderr.write(`${printable(line())}\n`);
        return;
      }
      clearInterval(redrawing);
      draw(line());
      if (isLast) settle();
      // Drawing is nothing to stay alive for.
      else redrawing = setInterval(() => draw(line()), REDRAW_MILLIS).unref();
    },
    confirm: async (question) => {
      if (isAgreed) return true;
      if (!mayAsk()) return false;
      settle();
      const answer = await ask(stdin, stderr, `${printable(question)} [y/N] `);
      return /^y(es)?$/i.test(answer?.trim() ?? '');
    },
    ask: async (question, isSecret = false) => {
      if (!mayAsk()) return undefined;
      settle();
      const text = `${printable(question)} `;
      if (!isSecret) return (await ask(stdin, stderr, text)) || undefined;
      stderr.write(text);
      const answer = await ask(stdin, new Nowhere(), '', true);
      stderr.write('\n');
      return answer || undefined;
    },
  };
}

/** What is typed here is seen nowhere. */
class Nowhere extends Writable {
  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

/**
 * @returns undefined when the input ended instead
 * @throws {GolemError} `interrupted` by Ctrl-C
 */
async function ask(
  input: NodeJS.ReadStream,
  output: NodeJS.WritableStream,
  question: string,
  isTerminal = true,
): Promise<string | undefined> {
  // Most commands ask nothing.
  const { createInterface } = await import('node:readline/promises');
  const prompt: Interface = createInterface({ input, output, terminal: isTerminal });
  const ended = new AbortController();
  let isInterrupted = false;
  prompt.once('SIGINT', () => {
    isInterrupted = true;
    prompt.close();
  });
  prompt.once('close', () => ended.abort());
  try {
    return await prompt.question(question, { signal: ended.signal });
  } catch (cause) {
    if (isInterrupted) throw new GolemError('interrupted', undefined, { cause });
    if (ended.signal.aborted) return undefined;
    throw cause;
  } finally {
    prompt.close();
  }
}
