/** A screen that is drawn over and over: what was there is written over, so that nothing flickers. Pure. */
import { styleText } from 'node:util';

export interface ScreenSize {
  readonly rows: number;
  readonly columns: number;
}

/** Whether a terminal is there and colours are wanted: https://no-color.org. */
export function wantsColour(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal && !env['NO_COLOR'];
}

/** The other screen of the terminal, without a cursor; what was on the first one comes back. */
export const ENTER_SCREEN = '\u001b[?1049h\u001b[?25l';
export const LEAVE_SCREEN = '\u001b[?25h\u001b[?1049l';

const HOME = '\u001b[H';
const CLEAR_TO_END_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/**
 * One write that makes the screen what `lines` are, cut to its size.
 * @param lines without control characters; the first is a title, those that begin with `!` are notices
 */
export function frame(
  lines: readonly string[],
  { rows, columns }: ScreenSize,
  colour: boolean,
): string {
  const shown = lines.slice(0, rows).map((line, at) => {
    const cut = Array.from(line).slice(0, columns).join('');
    return (colour ? dress(cut, at) : cut) + CLEAR_TO_END_OF_LINE;
  });
  return `${HOME}${shown.join('\r\n')}${CLEAR_BELOW}`;
}

function dress(line: string, at: number): string {
  if (line === '') return line;
  if (at === 0) return styleText('bold', line, { validateStream: false });
  return line.startsWith('!') ? styleText('yellow', line, { validateStream: false }) : line;
}
