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

/** Lines of a terminal, where a fix that is cut would help nobody; a table for programs. */
export function checkupTable(checks: readonly CheckRow[]): View {
  return {
    table: {
      columns: [
        { title: 'CHECK', fixed: true },
        { title: 'RESULT', fixed: true, tones: TONES },
        { title: 'WHAT' },
        { title: 'FIX', fixed: true, priority: 0 },
      ],
      rows: checks.map(({ name, level, what, fix }) => [name, level, what, fix ?? '-']),
      empty: '',
    },
    names: checks.map(({ name }) => name),
  };
}
