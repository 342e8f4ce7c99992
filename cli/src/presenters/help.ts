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
  readonly repeatable?: boolean;
}

/** As wide as the terminals that everybody has. */
const HELP_COLUMNS = 80;
const LEAST_COLUMNS = 24;

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

/** What a row says goes on below itself where it is long. */
function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  const left = Math.max(...rows.map(([term]) => term.length));
  const lines = rows.flatMap(([term, text]) => {
    const [first = '', ...more] = wrapped(text, Math.max(LEAST_COLUMNS, HELP_COLUMNS - left - 4));
    return [
      `  ${term.padEnd(left)}  ${first}`,
      ...more.map((line) => `${' '.repeat(left + 4)}${line}`),
    ];
  });
  return ['', `${title}:`, ...lines];
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

function optionRows(options: readonly OptionHelp[]): [string, string][] {
  return options.map((option) => {
    const { name, short, value } = option;
    return [
      `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`,
      optionText(option),
    ];
  });
}

/** Whether an option may be said again is known from the option itself. */
export function optionText({ summary, repeatable }: OptionHelp): string {
  return repeatable ? `${summary}; repeatable` : summary;
}
