/** The manual as one page of Markdown. Pure. */
import { optionItems } from './man.ts';
import type { OptionHelp } from './help.ts';

type Rows = readonly (readonly [string, string])[];

export interface CommandPage {
  readonly path: string;
  readonly group: string | undefined;
  readonly summary: string;
  readonly aliases: readonly string[];
  readonly usage: string;
  readonly about: readonly string[];
  readonly examples: readonly string[];
  readonly options: readonly OptionHelp[];
}

export interface Index {
  readonly common: readonly OptionHelp[];
  readonly variables: Rows;
  readonly exits: Rows;
}

export function indexMarkdown({ common, variables, exits }: Index): string[] {
  return [
    '<!-- Written by `npm run docs` out of the commands themselves. -->',
    '',
    '# The commands of golem',
    '',
    'Data is printed on standard output and everything else on standard error. On a terminal there are',
    'tables that fit it; anywhere else there are values with tabs between them, without colours, and',
    'nothing is cut. Names of JSON have their units in them.',
    '',
    '## Options of all commands',
    '',
    'They may stand before the command or after it.',
    '',
    ...table('option', 'what it does', optionItems(common)),
    '',
    '## Environment',
    '',
    ...table('variable', 'what it does', variables),
    '',
    '## Exit status',
    '',
    ...table('status', 'meaning, and errors', exits),
    '',
  ];
}

export function commandMarkdown(page: CommandPage): string[] {
  const { path, summary, aliases, usage, about, examples, options } = page;
  const rows = optionItems(options);
  return [
    `### ${path}`,
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    '',
    '```sh',
    ...examples,
    '```',
    '',
    `Usage: \`${`${path} [options] ${usage}`.trimEnd()}\``,
    '',
    ...(aliases.length === 0
      ? []
      : [`Also: ${aliases.map((word) => `\`${word}\``).join(', ')}.`, '']),
    ...about.flatMap((text) => [text, '']),
    ...(rows.length === 0 ? [] : [...table('option', 'what it does', rows), '']),
  ];
}

function table(left: string, right: string, rows: Rows): string[] {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    line([left, right]),
    '| --- | --- |',
    ...rows.map(([term, text]) => line([`\`${term}\``, text])),
  ];
}
