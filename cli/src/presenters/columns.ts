/** Which columns of a table are shown, and how wide each is, so that rows fit the terminal. Pure. */
import measure from 'fast-string-truncated-width';
import type { Column } from './view.ts';

export interface Layout {
  /** Positions of the columns that are shown. */
  readonly shown: readonly number[];
  /** In characters as wide as an `x`, for every shown column. */
  readonly widths: readonly number[];
}

export const GAP = '  ';
/** Below that, a column that is cut says little. */
const COMFORTABLE = 16;
/** Below that, it says nothing. */
const LEAST = 8;
const ELLIPSIS = '…';

/** In characters as wide as an `x`: Chinese ones are two wide. */
export function widthOf(text: string): number {
  return measure(text, { limit: Infinity }).width;
}

/** `text` in no more than `width`, with an ellipsis where something is left out. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let room = width - widthOf(ELLIPSIS);
  // Between what people see as characters, some of which are several to a computer.
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    room -= widthOf(segment);
    if (room < 0) break;
    kept += segment;
  }
  return kept + ELLIPSIS;
}

/**
 * First cells are cut a little, then columns are left out, then cells are cut to the last; what is
 * fixed goes over the edge rather than being cut.
 * @param natural what every column would like to have
 * @param room of the terminal; none where there is none
 */
export function layOut(
  columns: readonly Column[],
  natural: readonly number[],
  room: number | undefined,
): Layout {
  const all = columns.map((_, at) => at);
  const take = (shown: readonly number[]) => shown.map((at) => natural[at] ?? 0);
  if (room === undefined) return { shown: all, widths: take(all) };
  let shown = all;
  for (;;) {
    const widths = shrink(columns, shown, take(shown), room, COMFORTABLE);
    if (total(widths) <= room) return { shown, widths };
    const next = withoutLeast(columns, shown);
    if (!next) return { shown, widths: shrink(columns, shown, take(shown), room, LEAST) };
    shown = next;
  }
}

/** Takes from the widest column that may be cut, until all fit or none can give any more. */
function shrink(
  columns: readonly Column[],
  shown: readonly number[],
  natural: readonly number[],
  room: number,
  least: number,
): number[] {
  const widths = [...natural];
  for (let over = total(widths) - room; over > 0; over -= 1) {
    let widest = -1;
    for (const [at, column] of shown.entries()) {
      const width = widths[at] ?? 0;
      if (columns[column]?.fixed || width <= least) continue;
      if (widest < 0 || width > (widths[widest] ?? 0)) widest = at;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** @returns undefined when every column that is left has to stay */
function withoutLeast(columns: readonly Column[], shown: readonly number[]): number[] | undefined {
  const priority = (at: number) => columns[at]?.priority ?? 0;
  const greatest = Math.max(0, ...shown.map(priority));
  if (greatest === 0) return undefined;
  const last = shown.findLast((at) => priority(at) === greatest);
  return shown.filter((at) => at !== last);
}

function total(widths: readonly number[]): number {
  return (
    widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1)
  );
}
