/** Help: examples first, as they are what people look for. Pure. */

export interface CommandHelp {
  readonly words: string;
  readonly summary: string;
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
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
}

export function commandHelp(help: CommandHelp): string[] {
  return [
    `${help.words}: ${help.summary}`,
    '',
    ...help.examples.map((example) => `  $ ${example}`),
    '',
    `Usage: ${`${help.words} [options] ${help.usage}`.trimEnd()}`,
    ...section('Options', optionRows(help.options)),
    ...section('Everywhere', optionRows(help.commonOptions)),
  ];
}

export function groupHelp({ words, summary, examples, commands }: GroupHelp): string[] {
  return [
    `${words}: ${summary}`,
    '',
    ...examples.map((example) => `  $ ${example}`),
    ...section(
      'Commands',
      commands.map(({ name, summary: about }) => [name, about]),
    ),
    '',
    `'${words} COMMAND --help' tells more.`,
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
