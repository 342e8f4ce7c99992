/**
 * Words of a command line into arguments and options. cac splits them; nothing is coerced on the
 * way, as an id, a version or a path may look like a number.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { cac } from 'cac';
import type { Command, Input, Option } from './commands/command.ts';
import { closest } from './suggest.ts';

export const COMMON_OPTIONS: readonly Option[] = [
  { name: 'output', short: 'o', value: 'FORMAT', summary: 'table, json, tsv or name' },
  { name: 'quiet', short: 'q', summary: 'print ids only' },
  { name: 'debug', summary: 'say more about errors' },
  { name: 'help', short: 'h', summary: 'this text' },
];

/** No word that is typed begins like this, so none is taken for a number. */
const MARK = '\u0000';

/** @throws {GolemError} `usage` */
export function parseArgv(command: Command, words: readonly string[]): Input {
  const options = [...command.options, ...COMMON_OPTIONS];
  const { own, rest } = command.passesOn ? split(words, options) : { own: words, rest: [] };
  const parser = cac();
  const definition = parser.command(command.name);
  for (const { name, short, value } of options) {
    definition.option(`${short ? `-${short}, ` : ''}--${name}${value ? ` <${value}>` : ''}`, '');
  }
  const parsed = parser.parse(['', '', command.name, ...own.map(marked)], { run: false });
  const found: Record<string, string[]> = {};
  for (const [key, value] of Object.entries(parsed.options)) {
    if (key === '--') continue;
    const negated = options.find(({ name }) => name === `no-${kebabCase(key)}`);
    if (negated) {
      // cac has `wait: true` unless `--no-wait` was said.
      if (value === false) found[negated.name] = [];
      continue;
    }
    const known = options.find(({ name, short }) => key === camelCase(name) || key === short);
    if (!known) throw unknownOption(command, key, options);
    const values = (Array.isArray(value) ? value : [value]).map(String);
    if (known.value === undefined) found[known.name] = [];
    else found[known.name] = values.map((text) => valueOf(known, text));
    if (known.value !== undefined && !known.repeatable && values.length > 1) {
      throw usage(command, `--${known.name} was given ${values.length} times.`);
    }
  }
  const after = (parsed.options['--'] as readonly string[] | undefined) ?? [];
  const args = [...parsed.args, ...after].map((arg) => unmarked(arg));
  const { min, max } = command.args;
  if (found['help'] === undefined && (args.length < min || args.length > max)) {
    const what = args.length < min ? 'Something is missing' : `'${args[max]}' is too much`;
    throw usage(command, `${what}.`);
  }
  return { args, options: found, rest };
}

/** Options of ours come before the first argument; what follows it is passed on word for word. */
function split(words: readonly string[], options: readonly Option[]) {
  let at = 0;
  for (; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!word.startsWith('-') || word === '-') break;
    if (word === '--') {
      at += 1;
      break;
    }
    const name = word.replace(/^--?/, '');
    const known = options.find((option) => option.name === name || option.short === name);
    if (known?.value !== undefined) at += 1;
  }
  const rest = words.slice(at + 1);
  return { own: words.slice(0, at + 1), rest: rest[0] === '--' ? rest.slice(1) : rest };
}

function marked(word: string): string {
  if (!word.startsWith('-') || word === '-') return MARK + word;
  const equals = word.indexOf('=');
  return word.startsWith('--') && equals > 0
    ? `${word.slice(0, equals + 1)}${MARK}${word.slice(equals + 1)}`
    : word;
}

function unmarked(word: string): string {
  return word.startsWith(MARK) ? word.slice(MARK.length) : word;
}

function valueOf(option: Option, text: string): string {
  if (text.startsWith(MARK)) return text.slice(MARK.length);
  throw new GolemError('usage', `--${option.name} needs a value.`, {
    hint: `Write --${option.name} ${option.value}, or --${option.name}=VALUE if it begins with a dash.`,
  });
}

function unknownOption(command: Command, key: string, options: readonly Option[]): GolemError {
  const typed = key.length === 1 ? `-${key}` : `--${kebabCase(key)}`;
  const guess = closest(
    kebabCase(key),
    options.map(({ name }) => name),
  );
  return new GolemError('usage', `There is no option ${typed}.`, {
    hint: guess ? `Did you mean --${guess}?` : `See 'golem vm ${command.name} --help'.`,
  });
}

function usage(command: Command, message: string): GolemError {
  return new GolemError('usage', message, {
    hint: `golem vm ${command.name} ${command.usage}`.trimEnd(),
  });
}

const camelCase = (name: string) =>
  name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
const kebabCase = (name: string) =>
  name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
