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

/**
 * @param name of the command, for messages
 * @throws {GolemError} `usage`
 */
export function parseArgv(name: string, command: Command, words: readonly string[]): Input {
  const seeHelp = `golem-provider ${name} --help tells more.`;
  const options = descriptors(command);
  const args = [...words];
  // Lenient at first, to say what somebody may have meant; then strict.
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true, allowNegative: true });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const known = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    // Only what is on or off can be taken back.
    if (known && (known.type === 'boolean' || token.rawName !== `--no-${token.name}`)) {
      checkValue(token, known.type === 'string', seeHelp);
      continue;
    }
    throw unknown(
      'option',
      token.rawName,
      Object.keys(options).map((option) => `--${option}`),
      seeHelp,
    );
  }
  const { values, positionals } = parseArgs({
    ...{ args, options, allowNegative: true, allowPositionals: true },
  });
  const { min, max } = command.args;
  if (positionals.length > max) {
    throw new GolemError('usage', `'${positionals[max]}' is one argument too many.`, {
      hint: seeHelp,
    });
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

interface GivenOption {
  readonly rawName: string;
  readonly value: string | undefined;
  /** Whether the value was written as in `--name=value`; undefined without a value. */
  readonly inlineValue: boolean | undefined;
}

/** @throws {GolemError} `usage` */
function checkValue(
  { rawName, value, inlineValue }: GivenOption,
  takesOne: boolean,
  hint: string,
): void {
  if (!takesOne) {
    if (value === undefined) return;
    throw new GolemError('usage', `${rawName} takes no value.`, { hint });
  }
  if (value === undefined) throw new GolemError('usage', `${rawName} needs a value.`, { hint });
  // Most likely the value was forgotten.
  if (inlineValue !== true && /^-./.test(value)) {
    throw new GolemError(
      'usage',
      `${rawName} needs a value, and '${value}' looks like an option.`,
      {
        hint: `If it is meant so: ${rawName}${rawName.startsWith('--') ? '=' : ''}${value}`,
      },
    );
  }
}

/** @param otherwise the hint where nothing is near enough to what was given */
export function unknown(
  what: string,
  given: string,
  known: readonly string[],
  otherwise: string,
): GolemError {
  const near = closest(given, known);
  return new GolemError('usage', `There is no ${what} '${given}'.`, {
    hint: near === undefined ? otherwise : `Did you mean ${near}?`,
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
