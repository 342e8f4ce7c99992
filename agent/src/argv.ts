/** Words of a command line into arguments, options and settings. Nothing is guessed or coerced. */
import { parseArgs, type ParseArgsOptionDescriptor } from 'node:util';
import { GolemError } from '@vm-on-golem/shared/errors';
import { closest } from '@vm-on-golem/shared/suggest';
import type { Command, Input, Option } from './commands/command.ts';
import { settingOf } from './config/settings.ts';

export const COMMON_OPTIONS: readonly Option[] = [
  {
    name: 'config',
    value: 'FILE',
    help: 'the configuration (~/.config/golem-provider/config.toml)',
  },
  { name: 'output', short: 'o', value: 'FORMAT', help: 'text or json (text)' },
  { name: 'help', short: 'h', help: 'this text' },
];

/** @throws {GolemError} `usage` */
export function parseArgv(command: Command, words: readonly string[]): Input {
  const options = descriptors(command);
  const args = [...words];
  // Lenient at first, to say what somebody may have meant; then strict.
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true, allowNegative: true });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const known = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    // Only what is on or off can be taken back.
    if (known && (known.type === 'boolean' || token.rawName !== `--no-${token.name}`)) continue;
    throw unknown(
      'option',
      token.rawName,
      Object.keys(options).map((name) => `--${name}`),
    );
  }
  const { values, positionals } = parseArgs({
    ...{ args, options, allowNegative: true, allowPositionals: true },
  });
  const { min, max } = command.args;
  if (positionals.length > max) {
    throw new GolemError('usage', `'${positionals[max]}' is one argument too many.`);
  }
  if (positionals.length < min && values['help'] !== true) {
    const missing = command.usage.split(' ')[positionals.length];
    throw new GolemError('usage', `${missing} is missing.`, {
      hint: `For example: ${command.examples[0]}`,
    });
  }
  const { output, help, config, ...rest } = values;
  if (output !== undefined && output !== 'json' && output !== 'text') {
    throw new GolemError('usage', `-o takes json or text, not '${String(output)}'.`);
  }
  const own = new Set(command.options.map(({ name }) => name));
  const pick = (isOwn: boolean) =>
    Object.fromEntries(Object.entries(rest).filter(([name]) => own.has(name) === isOwn));
  return {
    args: positionals,
    options: { ...(pick(true) as Input['options']), ...(help === true ? { help } : {}) },
    flags: { ...pick(false), ...(config === undefined ? {} : { config }) } as Input['flags'],
    asJson: output === 'json',
  };
}

/** Whether these words, which may be no valid command line at all, ask for JSON. */
export function asksForJson(words: readonly string[]): boolean {
  return words.some((word, at) =>
    word === '-o' || word === '--output'
      ? words[at + 1] === 'json'
      : /^(?:-o=?|--output=)json$/.test(word),
  );
}

export function unknown(what: string, given: string, known: readonly string[]): GolemError {
  const near = closest(given, known);
  return new GolemError('usage', `There is no ${what} '${given}'.`, {
    hint: near === undefined ? 'See golem-provider --help.' : `Did you mean ${near}?`,
  });
}

function descriptors({ settings, options }: Command): Record<string, ParseArgsOptionDescriptor> {
  const own = [...options, ...COMMON_OPTIONS].map(({ name, short, value }) => [
    name,
    { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) },
  ]);
  const flags = settings.map((name) => {
    const { value, multiple = false } = settingOf(name);
    return [name, { type: value === undefined ? 'boolean' : 'string', multiple }];
  });
  return Object.fromEntries([...flags, ...own]) as Record<string, ParseArgsOptionDescriptor>;
}
