/** Rows in columns that line up. Text of strangers moves no cursor and starts no line. Pure. */

const GAP = '  ';
const ELLIPSIS = '…';
/** Below this a column says nothing any more. */
const MIN_COLUMN = 8;

/** @param width columns of the terminal; none where nothing needs to be cut */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  width?: number,
): string[] {
  const cells = [titles, ...rows.map((row) => row.map(printable))];
  const widths = titles.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  if (width !== undefined) shrink(widths, width);
  return cells.map((row) =>
    row
      .map((cell, at) => {
        const room = widths[at] ?? 0;
        return cell.length > room ? cell.slice(0, room - 1) + ELLIPSIS : cell.padEnd(room);
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** `key   value` lines. */
export function fields(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([key]) => key.length));
  return rows.map(([key, value]) => `${key.padEnd(width)}${GAP}${printable(value)}`);
}

export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

/** Takes from the widest column until all fit. */
function shrink(widths: number[], width: number): void {
  for (;;) {
    const total = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);
    const widest = widths.indexOf(Math.max(...widths));
    if (total <= width || (widths[widest] ?? 0) <= MIN_COLUMN) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}
