/** A recording as one SVG that plays by itself once and ends with all its text, which can be selected. */
import { spansOf, type Span } from './spans.ts';
import type { Appearance } from './timeline.ts';

const FONT_PIXELS = 14;
/** Of the fonts below; `textLength` makes every other one fit. */
const COLUMN_PIXELS = 8.4;
const LINE_PIXELS = 19;
const MARGIN = 16;
/** Black to white, then the bright ones, to be read on the background below. */
const COLOURS = [
  ...['#5c6370', '#e06c75', '#98c379', '#e5c07b', '#61afef', '#c678dd', '#56b6c2', '#dcdfe4'],
  ...['#7f848e', '#ef7c85', '#a8d389', '#f5d08b', '#71bfff', '#d688ed', '#66c6d2', '#ffffff'],
];

export interface SvgOptions {
  readonly title: string;
  readonly columns: number;
}

export function svgOf(timeline: readonly Appearance[], { title, columns }: SvgOptions): string {
  const lines = Math.max(0, ...timeline.map(({ line }) => line)) + 1;
  const width = Math.ceil(columns * COLUMN_PIXELS + 2 * MARGIN);
  const height = lines * LINE_PIXELS + 2 * MARGIN;
  const used = new Set(timeline.flatMap(({ text }) => spansOf(text).map(({ colour }) => colour)));
  const colours = [...used]
    .filter((colour) => colour !== undefined)
    .map((colour) => `.c${colour}{fill:${COLOURS[colour]}}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>
text{font:${FONT_PIXELS}px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#d7dae0;white-space:pre}
.b{font-weight:bold}.d{opacity:.65}${colours.join('')}
@keyframes on{to{visibility:visible}}@keyframes off{to{visibility:hidden}}
.t{visibility:hidden;animation:on 1ms forwards}
.g{animation:on 1ms forwards,off 1ms forwards}
@media(prefers-reduced-motion:reduce){.t{animation:none;visibility:visible}.g{visibility:hidden}}
</style>
<rect width="100%" height="100%" rx="8" fill="#1e2127"/>
${timeline.map(textOf).join('\n')}
</svg>
`;
}

function textOf({ line, text, from, to }: Appearance): string {
  const spans = spansOf(text);
  const columns = spans.reduce((sum, span) => sum + span.text.length, 0);
  const y = MARGIN + line * LINE_PIXELS + FONT_PIXELS;
  const times = [from, ...(to === undefined ? [] : [to])].map((millis) => `${millis / 1000}s`);
  const look = to === undefined ? 't' : 't g';
  const place = `x="${MARGIN}" y="${y}" textLength="${(columns * COLUMN_PIXELS).toFixed(1)}"`;
  return `<text class="${look}" style="animation-delay:${times.join(',')}" ${place}>${spans.map(spanOf).join('')}</text>`;
}

function spanOf({ text, colour, isBold, isDim }: Span): string {
  const classes = [
    ...(colour === undefined ? [] : [`c${colour}`]),
    ...(isBold ? ['b'] : []),
    ...(isDim ? ['d'] : []),
  ];
  if (classes.length === 0) return escaped(text);
  return `<tspan class="${classes.join(' ')}">${escaped(text)}</tspan>`;
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
