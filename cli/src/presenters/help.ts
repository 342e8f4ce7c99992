/** Help: examples first, as they are what people look for. Pure. */

export interface CommandHelp {
  readonly words: string;
  readonly summary: string;
  /** Other words for the same. */
  readonly aliases: readonly string[];
  readonly usage: string;
  readonly examples: readonly string[];
  readonly options: readonly OptionHelp[];
  readonly commonOptions: readonly OptionHelp[];
}

export interface OptionHelp {
  readonly name: string;
  readonly short?: string;
  readonly value?: string;
  readonly summary: string;
}

export interface GroupHelp {
  readonly words: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly sections: readonly SectionHelp[];
  readonly commonOptions?: readonly OptionHelp[];
  /** The last line. */
  readonly more: string;
}

export interface SectionHelp {
  readonly title: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
}

export function commandHelp(help: CommandHelp): string[] {
  const { words, summary, aliases, usage, examples, options, commonOptions } = help;
  return [
    `${words}: ${summary}`,
    '',
    ...examples.map((example) => `  $ ${example}`),
    '',
    `Usage: ${`${words} [options] ${usage}`.trimEnd()}`,
    ...(aliases.length === 0 ? [] : [`Also:  ${aliases.join(', ')}`]),
    ...section('Options', optionRows(options)),
    ...section('Everywhere', optionRows(commonOptions)),
  ];
}

export function groupHelp(help: GroupHelp): string[] {
  const { words, summary, examples, sections, commonOptions = [], more } = help;
  const width = Math.max(
    ...sections.flatMap(({ commands }) => commands.map(({ name }) => name.length)),
  );
  return [
    `${words}: ${summary}`,
    '',
    ...examples.map((example) => `  $ ${example}`),
    ...sections.flatMap(({ title, commands }) =>
      section(
        title,
        commands.map(({ name, summary: about }) => [name.padEnd(width), about]),
      ),
    ),
    ...section('Everywhere', optionRows(commonOptions)),
    '',
    more,
  ];
}

function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([left]) => left.length));
  return ['', `${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)];
}

function optionRows(options: readonly OptionHelp[]): [string, string][] {
  return options.map(({ name, short, value, summary }) => [
    `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`,
    summary,
  ]);
}
