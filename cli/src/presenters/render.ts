/** Views as text: aligned for people, tab-separated for programs. Pure. */
import { printable } from './printable.ts';
import type { Table, View } from './view.ts';

export const FORMATS = ['table', 'json', 'tsv', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export interface RenderOptions {
  readonly format: Format;
  readonly quiet: boolean;
  /** Columns of the terminal; none where there is no terminal. */
  readonly width?: number;
}

const GAP = '  ';
const ELLIPSIS = '…';

/** @returns text that ends with a line feed, or nothing */
export function render(view: View, { format, quiet, width }: RenderOptions): string {
  if (quiet) return linesOf(view.ids ?? view.names ?? []);
  if (format === 'name') return linesOf(view.names ?? view.ids ?? []);
  const text = view.lines ? linesOf(view.lines) : '';
  if (!view.table) return text;
  return text + (format === 'tsv' ? tsv(view.table) : aligned(view.table, width));
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** Nothing is cut, and no value can look like two. */
function tsv({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `${cells.map(printable).join('\t')}\n`;
  return line(columns.map(({ title }) => title)) + rows.map(line).join('');
}

function aligned({ columns, rows, empty }: Table, width: number | undefined): string {
  if (rows.length === 0) return `${empty}\n`;
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  shrink(widths, width);
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => {
        const room = widths[at] ?? 0;
        const cut = cell.length > room ? cell.slice(0, Math.max(0, room - 1)) + ELLIPSIS : cell;
        return columns[at]?.right ? cut.padStart(room) : cut.padEnd(room);
      })
      .join(GAP)
      .trimEnd();
  return [columns.map(({ title }) => title), ...cells].map((row) => `${line(row)}\n`).join('');
}

/** Takes from the widest column until all fit; below 8 characters a column says nothing any more. */
function shrink(widths: number[], width: number | undefined): void {
  if (width === undefined) return;
  for (;;) {
    const total = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);
    const widest = widths.indexOf(Math.max(...widths));
    if (total <= width || (widths[widest] ?? 0) <= 8) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}
