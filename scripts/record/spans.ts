/** Text of a terminal with its colours, as tmux writes them (SGR). */

export interface Span {
  readonly text: string;
  /** 0 to 15; undefined for the terminal's own. */
  readonly colour?: number;
  readonly isBold?: boolean;
  readonly isDim?: boolean;
}

type Style = Omit<Span, 'text'>;

// oxlint-disable-next-line no-control-regex -- that is what it looks for
const SEQUENCE = /\x1b\[([\d;]*)m/;

export function spansOf(line: string): readonly Span[] {
  const [first = '', ...rest] = line.split(SEQUENCE);
  const spans: Span[] = [{ text: first }];
  let style: Style = {};
  // The split gives codes and text in turns.
  for (let at = 0; at < rest.length; at += 2) {
    style = (rest[at] ?? '').split(';').map(Number).reduce(styled, style);
    spans.push({ ...style, text: rest[at + 1] ?? '' });
  }
  return spans.filter(({ text }) => text !== '');
}

function styled(style: Style, code: number): Style {
  const { colour, ...others } = style;
  if (code === 0) return {};
  if (code === 1) return { ...style, isBold: true };
  if (code === 2) return { ...style, isDim: true };
  if (code === 22) return colour === undefined ? {} : { colour };
  if (code === 39) return others;
  if (code >= 30 && code <= 37) return { ...others, colour: code - 30 };
  if (code >= 90 && code <= 97) return { ...others, colour: code - 82 };
  return style;
}
