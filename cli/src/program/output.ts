/** Data on standard output, in the format that was asked for: once, or one value after the other. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Command, Input } from '../commands/command.ts';
import { paletteOf, wantsColour, type Palette } from '../presenters/colour.ts';
import { widthOf } from '../presenters/columns.ts';
import { printableJson } from '../presenters/printable.ts';
import { FORMATS, render, renderPart, type Format, type Head } from '../presenters/render.ts';
import { coloured } from './coloured.ts';

/** What this needs of `process.stdout`. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface OutputOptions {
  readonly format: Format;
  readonly quiet: boolean;
  readonly palette: Palette;
}

/** For people on a terminal a table, for programs what they can split. @throws {GolemError} `usage` */
export function outputOptions(
  input: Input,
  sink: Sink,
  env: Readonly<Record<string, string | undefined>>,
): OutputOptions {
  const isTerminal = sink.isTTY === true;
  const isRefused = input.options['no-color'] !== undefined;
  return {
    format: readFormat(input.options['output']?.at(-1), isTerminal),
    quiet: input.options['quiet'] !== undefined,
    palette: paletteOf(wantsColour({ env, isTerminal, isRefused }) ? coloured : undefined),
  };
}

/** Prints what a command gave. */
export async function show(
  command: Command,
  data: unknown,
  options: OutputOptions,
  sink: Sink,
): Promise<void> {
  if (!command.present) return;
  const { format } = options;
  const json = command.json ? command.json(data) : data;
  if (format === 'json') sink.write(`${jsonFor(sink, json, 2)}\n`);
  else if (format === 'yaml') sink.write(await yamlFor(sink, json));
  else sink.write(render(command.present(data), { ...options, ...widthOfSink(sink) }));
}

/** Prints what a command gives, value by value: lines of JSON, documents of YAML, or rows. */
export async function showAll(
  command: Command,
  values: AsyncIterable<unknown>,
  options: OutputOptions,
  sink: Sink,
): Promise<void> {
  const { format } = options;
  let head: Head | undefined;
  let drawn: string | undefined;
  for await (const data of values) {
    if (!command.present) continue;
    const json = command.json ? command.json(data) : data;
    if (format === 'json') {
      sink.write(`${jsonFor(sink, json)}\n`);
    } else if (format === 'yaml') {
      sink.write(`---\n${await yamlFor(sink, json)}`);
    } else {
      const isRedrawn = command.live === 'redraw' && sink.isTTY === true && !options.quiet;
      const rendered = renderPart(command.present(data), {
        ...options,
        ...widthOfSink(sink),
        ...(head && !isRedrawn ? { after: head } : {}),
      });
      head = rendered.head;
      sink.write(isRedrawn ? over(drawn, sink) + rendered.text : rendered.text);
      drawn = rendered.text;
    }
  }
}

/** Moves to where `drawn` began, and clears what comes after; the whole screen if it was larger. */
function over(drawn: string | undefined, { columns = 80, rows = 24 }: Sink): string {
  if (drawn === undefined) return '';
  const lines = drawn.split('\n').slice(0, -1);
  const height = lines.reduce(
    (sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)),
    0,
  );
  return height < rows ? `\u001b[${height}F\u001b[0J` : '\u001b[H\u001b[2J';
}

function widthOfSink({ isTTY, columns }: Sink): { width?: number } {
  return isTTY === true && columns !== undefined ? { width: columns } : {};
}

function jsonFor({ isTTY }: Sink, data: unknown, indent?: number): string {
  const text = JSON.stringify(data, null, indent);
  return isTTY === true ? printableJson(text) : text;
}

/** Few ask for it: it is not loaded for the others. */
async function yamlFor({ isTTY }: Sink, data: unknown): Promise<string> {
  const { stringify } = await import('../presenters/yaml.ts');
  const text = stringify(data);
  if (isTTY !== true || !DRIVES.test(text)) return text;
  // What is JSON is YAML as well, and has a way to say such characters.
  return `${printableJson(JSON.stringify(data, null, 2))}\n`;
}

/** Characters that a terminal obeys or hides, other than ends of lines. */
const DRIVES = /[\p{Cf}\u2028\u2029]|[^\P{Cc}\n]/u;

function readFormat(text: string | undefined, isTerminal: boolean): Format {
  if (text === undefined) return isTerminal ? 'table' : 'tsv';
  const format = FORMATS.find((candidate) => candidate === text);
  if (format) return format;
  throw new GolemError('usage', `There is no output format '${text}'.`, {
    hint: `There are ${FORMATS.join(', ')}.`,
  });
}
