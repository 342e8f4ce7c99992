/** What a doctor found, for people. */
import type { Tone, View } from './view.ts';

interface CheckRow {
  readonly name: string;
  readonly level: string;
  readonly what: string;
  readonly fix: string | null;
}

const TONES: Readonly<Record<string, Tone>> = {
  ok: 'good',
  warning: 'busy',
  failure: 'bad',
  skipped: 'faint',
};

/** Nothing is cut, as half of it would help nobody: what to do is below the table. */
export function checkupTable(checks: readonly CheckRow[]): View {
  return {
    table: {
      columns: [
        { title: 'CHECK', fixed: true },
        { title: 'RESULT', fixed: true, tones: TONES },
        { title: 'WHAT', fixed: true },
        { title: 'FIX', fixed: true, wide: true },
      ],
      rows: checks.map(({ name, level, what, fix }) => [name, level, what, fix ?? '-']),
      empty: '',
    },
    below: checks.flatMap(({ name, fix }) => (fix === null ? [] : [`${name}: ${fix}`])),
    names: checks.map(({ name }) => name),
  };
}
