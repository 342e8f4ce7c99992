/** What a doctor has found, line by line. Pure. */
import { styleText } from 'node:util';
import type { Level } from '../doctor/check.ts';
import type { Diagnosis } from '../doctor/doctor.ts';
import { printable } from './table.ts';

const MARKS = {
  ok: ['ok  ', 'green'],
  warning: ['warn', 'yellow'],
  failure: ['FAIL', 'red'],
  skipped: ['-   ', 'dim'],
} as const satisfies Record<Level, readonly [string, 'green' | 'yellow' | 'red' | 'dim']>;

/** Wide enough for the longest name. */
const NAME_CHARS = 17;

/** Narrower than this a column of words is harder to read than lines that the terminal breaks. */
const MIN_COLUMN = 30;

export interface Paper {
  readonly colour: boolean;
  /** Characters of a line; absent where nothing breaks lines. */
  readonly columns?: number | undefined;
}

export function diagnosisLines(
  { check, level, what, fix, details = [] }: Diagnosis,
  { colour, columns = Infinity }: Paper,
): string[] {
  const [mark, style] = MARKS[level];
  const shown = colour ? styleText(style, mark, { validateStream: false }) : mark;
  const indent = ' '.repeat(mark.length + 2 + NAME_CHARS);
  const room = columns - indent.length;
  const wrap = (text: string) => (room < MIN_COLUMN ? [text] : wrapped(text, room));
  const [first = '', ...more] = wrap(printable(what));
  const [remedy, ...rest] = fix === undefined ? [] : wrap(`→ ${printable(fix)}`);
  return [
    `${shown}  ${check.padEnd(NAME_CHARS)}${first}`,
    ...more.map((line) => indent + line),
    ...details.map((line) => indent + printable(line)),
    ...(remedy === undefined ? [] : [indent + remedy]),
    ...rest.map((line) => `${indent}  ${line}`),
  ];
}

/** Broken between words; a word that is longer than a line, such as a path, stays whole. */
function wrapped(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    // Two are left for the indent below an arrow.
    if (last === undefined || last.length + 1 + word.length > room - 2) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

export function summaryLine(found: readonly Diagnosis[]): string {
  const count = (level: Level) => found.filter((one) => one.level === level).length;
  const [failures, warnings] = [count('failure'), count('warning')];
  if (failures + warnings === 0) return 'Everything is as it should be.';
  const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
  return `${plural(failures, 'failure')}, ${plural(warnings, 'warning')}.`;
}
