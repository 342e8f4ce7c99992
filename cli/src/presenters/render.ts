/** Views as text: aligned for people, tab-separated for programs. Pure. */
import { paletteOf, type Palette } from './colour.ts';
import { cut, GAP, layOut, widthOf } from './columns.ts';
import { printable } from './printable.ts';
import type { Column, Table, View } from './view.ts';

/** In the order of the help. `yaml` and `json` are data as they are: views have no part in them. */
export const FORMATS = ['table', 'wide', 'json', 'yaml', 'tsv', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export interface RenderOptions {
  readonly format: Format;
  readonly quiet: boolean;
  /** Columns of the terminal; none where there is no terminal. */
  readonly width?: number;
  readonly palette?: Palette;
  /** More rows of a table whose head was shown: no head, and columns at least that wide. */
  readonly after?: Head;
}

/** What the rows that follow have to keep to. */
export interface Head {
  readonly widths: readonly number[];
}

export interface Rendered {
  /** Ends with a line feed, or is empty. */
  readonly text: string;
  readonly head: Head | undefined;
}

const PLAIN = paletteOf();

/** @returns text that ends with a line feed, or nothing */
export function render(view: View, options: RenderOptions): string {
  return renderPart(view, options).text;
}

/** The same for one of several views of a kind, the rows of which are one table. */
export function renderPart(view: View, options: RenderOptions): Rendered {
  const { format, quiet, after, palette = PLAIN } = options;
  const only = (text: string): Rendered => ({ text, head: after });
  if (quiet) return only(linesOf(view.ids ?? view.names ?? []));
  if (format === 'name') return only(linesOf(view.names ?? view.ids ?? []));
  const isTsv = format === 'tsv';
  const before = linesOf(view.lines ?? []) + factsOf(view.facts ?? [], isTsv, palette);
  if (!view.table) return only(before);
  const width = format === 'table' ? options.width : undefined;
  const table =
    isTsv || format === 'wide' ? view.table : onlyShown(view.table, ({ wide = false }) => !wide);
  const { text, head } = isTsv ? tsv(table, after) : aligned(table, width, palette, after);
  const below = format === 'table' ? linesOf(view.below ?? []) : '';
  return { text: before + text + below, head };
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function factsOf(
  facts: readonly (readonly [string, string])[],
  isTsv: boolean,
  { title }: Palette,
): string {
  const room = Math.max(0, ...facts.map(([name]) => name.length));
  return facts
    .map(([name, value]) => {
      const said = printable(value);
      return isTsv ? `${name}\t${said}\n` : `${title(name.padEnd(room))}${GAP}${said}\n`;
    })
    .join('');
}

/** Nothing is cut, and no value can look like two. */
function tsv({ columns, rows }: Table, after: Head | undefined): Rendered {
  const line = (cells: readonly string[]) => `${cells.map(printable).join('\t')}\n`;
  const head = after ? '' : line(columns.map(({ title }) => title));
  return { text: head + rows.map(line).join(''), head: { widths: [] } };
}

function aligned(
  { columns, rows, empty }: Table,
  room: number | undefined,
  palette: Palette,
  after: Head | undefined,
): Rendered {
  if (rows.length === 0) return { text: after ? '' : `${empty}\n`, head: after };
  const cells = rows.map((row) => row.map(printable));
  const natural = columns.map(({ title }, at) =>
    Math.max(widthOf(title), after?.widths[at] ?? 0, ...cells.map((row) => widthOf(row[at] ?? ''))),
  );
  const { shown, widths } = layOut(columns, natural, room);
  const line = (row: readonly string[], paint: (column: Column, text: string) => string) =>
    shown
      .map((column, at) => {
        const definition = columns[column] ?? { title: '' };
        const isLast = at === shown.length - 1;
        return fill(row[column] ?? '', widths[at] ?? 0, definition, isLast, (text) =>
          paint(definition, text),
        );
      })
      .join(GAP)
      .trimEnd();
  const titles = line(
    columns.map(({ title }) => title),
    (_, text) => palette.title(text),
  );
  const lines = cells.map((row) =>
    line(row, ({ tones = {} }, text) =>
      palette.tone(Object.hasOwn(tones, text) ? tones[text] : undefined, text),
    ),
  );
  const all = after ? lines : [titles, ...lines];
  return { text: all.map((text) => `${text}\n`).join(''), head: { widths: natural } };
}

/** Colours go around the text alone, so that they take no room. */
function fill(
  text: string,
  room: number,
  { right, fixed }: Column,
  isLast: boolean,
  paint: (text: string) => string,
): string {
  const said = fixed ? text : cut(text, room);
  const rest = ' '.repeat(Math.max(0, room - widthOf(said)));
  if (right) return rest + paint(said);
  return isLast ? paint(said) : paint(said) + rest;
}

function onlyShown({ columns, rows, empty }: Table, isShown: (column: Column) => boolean): Table {
  const at = columns.flatMap((column, index) => (isShown(column) ? [index] : []));
  return {
    columns: columns.filter(isShown),
    rows: rows.map((row) => at.map((index) => row[index] ?? '')),
    empty,
  };
}
