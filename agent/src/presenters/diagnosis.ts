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

export function diagnosisLines(
  { check, level, what, fix, details = [] }: Diagnosis,
  colour: boolean,
): string[] {
  const [mark, style] = MARKS[level];
  const shown = colour ? styleText(style, mark, { validateStream: false }) : mark;
  return [
    `${shown}  ${check.padEnd(NAME_CHARS)}${printable(what)}`,
    ...details.map((line) => `      ${' '.repeat(NAME_CHARS)}${printable(line)}`),
    ...(fix === undefined ? [] : [`      ${' '.repeat(NAME_CHARS)}→ ${printable(fix)}`]),
  ];
}

export function summaryLine(found: readonly Diagnosis[]): string {
  const count = (level: Level) => found.filter((one) => one.level === level).length;
  const [failures, warnings] = [count('failure'), count('warning')];
  if (failures + warnings === 0) return 'Everything is as it should be.';
  const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
  return `${plural(failures, 'failure')}, ${plural(warnings, 'warning')}.`;
}
