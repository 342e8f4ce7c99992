/** What a person sees besides the data: notes, progress and questions, all on stderr. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Context } from '../commands/command.ts';
import { cut } from '../presenters/columns.ts';
import type { ProcessStreams } from './streams.ts';
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
  streams: Pick<ProcessStreams, 'input' | 'error'>,
  { isTerse, isAgreed, isSilent }: TerminalOptions,
): Terminal {
  let drawn: string | undefined;
  let redrawing: NodeJS.Timeout | undefined;

  const draw = (text: string) => {
    // A line that wraps cannot be drawn over.
    drawn = cut(printable(text), Math.max(1, streams.error.columns - 1));
    streams.error.write(CLEAR_LINE + drawn);
  };
  const settle = () => {
    clearInterval(redrawing);
    if (drawn !== undefined) streams.error.write('\n');
    drawn = undefined;
  };
  const mayAsk = () => !isSilent && streams.input.isTTY && streams.error.isTTY;
  return {
    settle,
    note: (line) => {
      if (isTerse) return;
      settle();
      streams.error.write(`${printable(line)}\n`);
    },
    progress: (line, isLast = false) => {
      if (isTerse) return;
      if (!streams.error.isTTY) {
        streams.error.write(`${printable(line())}\n`);
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
      const { ask } = await import('./ask.ts');
      const answer = await ask(streams.input, streams.error, `${printable(question)} [y/N] `);
      if (/^y(es)?$/i.test(answer?.trim() ?? '')) return true;
      throw new GolemError('interrupted', 'Nothing was done.');
    },
    ask: async (question, isSecret = false) => {
      if (!mayAsk()) return undefined;
      settle();
      const { ask, Nowhere } = await import('./ask.ts');
      const text = `${printable(question)} `;
      if (!isSecret) return (await ask(streams.input, streams.error, text)) || undefined;
      streams.error.write(text);
      const answer = await ask(streams.input, new Nowhere(), '', true);
      streams.error.write('\n');
      return answer || undefined;
    },
  };
}
