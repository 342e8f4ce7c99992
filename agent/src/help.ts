/** Help: examples first, as they are what people look for. Pure. */
import { COMMON_OPTIONS } from './argv.ts';
import type { Command, Option } from './commands/command.ts';
import type { Entry } from './commands/index.ts';
import { describeSetting, GROUPS } from './config/setting.ts';
import { settingOf } from './config/settings.ts';

type Row = readonly [left: string, right: string];

export function commandHelp(words: string, { summary }: Entry, command: Command): string[] {
  const sections: [string, Row[]][] = [
    ['Options', command.options.map(optionRow)],
    ...Object.entries(GROUPS).map(([group, title]): [string, Row[]] => [
      title,
      command.settings.flatMap((name) => {
        const setting = settingOf(name);
        return setting.group === group
          ? [optionRow({ name, help: describeSetting(setting), ...valueOf(setting) })]
          : [];
      }),
    ]),
    ['Everywhere', COMMON_OPTIONS.map(optionRow)],
  ];
  const filled = sections.filter(([, rows]) => rows.length > 0);
  const width = widest(filled.flatMap(([, rows]) => rows));
  return [
    `golem-provider ${words}: ${summary}`,
    '',
    ...command.examples.map((example) => `  $ ${example}`),
    '',
    `Usage: golem-provider ${`${words} [options] ${command.usage}`.trimEnd()}`,
    ...filled.flatMap(([title, rows]) => section(title, rows, width)),
  ];
}

/** Of the program, or of one group of commands. */
export function groupHelp(
  title: string,
  examples: readonly string[],
  commands: Readonly<Record<string, Entry>>,
): string[] {
  const rows = Object.entries(commands).map(([name, { summary }]): Row => [name, summary]);
  return [
    title,
    '',
    ...examples.map((example) => `  $ ${example}`),
    ...section('Commands', rows, widest(rows)),
    '',
    "'golem-provider COMMAND --help' tells more.",
  ];
}

function optionRow({ name, short, value, help }: Option): Row {
  return [`${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`, help];
}

function valueOf({ value }: { readonly value?: string }): { readonly value?: string } {
  return value === undefined ? {} : { value };
}

function section(title: string, rows: readonly Row[], width: number): string[] {
  return ['', `${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)];
}

function widest(rows: readonly Row[]): number {
  return Math.max(...rows.map(([left]) => left.length));
}
