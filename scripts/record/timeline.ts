/** When which text was on which line, from what a terminal showed at one time after another. */

/** A terminal's whole text with its history, line by line, escape sequences included. */
export interface Shot {
  /** Since the first shot. */
  readonly millis: number;
  readonly lines: readonly string[];
}

/** One text of one line. */
export interface Appearance {
  readonly line: number;
  readonly text: string;
  readonly from: number;
  /** Undefined for what stays. */
  readonly to?: number;
}

/** Of a terminal that is never cleared, so that a line keeps its number for good. By line and time. */
export function timelineOf(shots: readonly Shot[]): readonly Appearance[] {
  const count = Math.max(0, ...shots.map(({ lines }) => lines.length));
  return Array.from({ length: count }, (_, line) => appearancesOf(shots, line)).flat();
}

function appearancesOf(shots: readonly Shot[], line: number): Appearance[] {
  const texts = shots.map(({ millis, lines }) => ({ millis, text: lines[line] ?? '' }));
  const changes = texts.filter(({ text }, at) => text !== (texts[at - 1]?.text ?? ''));
  return changes.flatMap(({ millis, text }, at) => {
    const next = changes[at + 1];
    if (text === '') return [];
    return [{ line, text, from: millis, ...(next && { to: next.millis }) }];
  });
}
