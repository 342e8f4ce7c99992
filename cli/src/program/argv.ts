/**
 * Words of a command line into arguments and options. Nothing is coerced on the way, as an id, a
 * version or a path may look like a number; nothing is guessed, as a switch may destroy a VM.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { cac } from 'cac';
import type { Command, Input, Option } from '../commands/command.ts';
import { closest } from '@vm-on-golem/shared/suggest';
import { optionsOf } from './common.ts';

/** No word that is typed begins like this, so that cac takes none for a number. */
const MARK = '\u0000';

/** A command, and the words that call it. */
interface Called {
  readonly command: Command;
  readonly path: string;
}

/**
 * @param path the words that call the command, for errors: `golem vm create`
 * @throws {GolemError} `usage`
 */
export function parseArgv(
  command: Command,
  words: readonly string[],
  path = `golem ${command.name}`,
): Input {
  const called = { command, path };
  const options = optionsOf(command.options);
  const { own, rest } = command.passesOn ? split(words, options) : { own: words, rest: [] };
  const parser = cac();
  const definition = parser.command(command.name);
  for (const { name, value } of options) {
    definition.option(`--${name}${value === undefined ? '' : ` <${value}>`}`, '');
  }
  const canonical = [...canonicalWords(called, own, options)];
  const parsed = parser.parse(['', '', command.name, ...canonical], { run: false });
  const found: Record<string, string[]> = {};
  for (const option of options) {
    const values = valuesOf(called, option, parsed.options);
    if (values) found[option.name] = values;
  }
  const after = (parsed.options['--'] as readonly string[] | undefined) ?? [];
  const args = [...parsed.args, ...after].map((arg) => arg.slice(MARK.length));
  const { min, max } = command.args;
  if (found['help'] === undefined && (args.length < min || args.length > max)) {
    const isShort = args.length < min;
    const what = isShort
      ? `${missing(command, args.length)} is missing`
      : `'${args[max]}' is too much`;
    throw usage(called, `${what}.`);
  }
  return { args, options: found, rest };
}

/** What the usage calls the first argument that is not there. */
function missing({ usage: line }: Command, given: number): string {
  const words = line.split(' ').filter((word) => /^[A-Z]/.test(word));
  return words[given]?.replace('...', '') ?? 'Something';
}

/** The format that these words, which may be no valid command line at all, ask for. */
export function formatAskedFor(words: readonly string[]): string | undefined {
  const end = words.indexOf('--');
  const own = end < 0 ? words : words.slice(0, end);
  const found = own.flatMap((word, at) => {
    if (word === '-o' || word === '--output') return own[at + 1] ?? [];
    const [, format] = /^(?:-o=?|--output=)(.+)$/.exec(word) ?? [];
    return format ?? [];
  });
  return found.at(-1);
}

/** Options of ours come before the first argument; what follows it is passed on word for word. */
function split(words: readonly string[], options: readonly Option[]) {
  let at = 0;
  for (; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!isOption(word)) break;
    if (word === '--') {
      at += 1;
      break;
    }
    if (takesNextWord(word, options)) at += 1;
  }
  const rest = words.slice(at + 1);
  // Nothing but a call for help is meant by that; a program of this name comes after `--`.
  if (rest.length === 1 && ['--help', '-h'].includes(rest[0] ?? '') && words[at - 1] !== '--') {
    return { own: words, rest: [] };
  }
  return { own: words.slice(0, at + 1), rest: rest[0] === '--' ? rest.slice(1) : rest };
}

export function takesNextWord(word: string, options: readonly Option[]): boolean {
  if (word.startsWith('--')) {
    return options.some(({ name, value }) => word === `--${name}` && value !== undefined);
  }
  const letters = Array.from(word.slice(1));
  const at = letters.findIndex((letter) =>
    options.some(({ short, value }) => short === letter && value !== undefined),
  );
  return at >= 0 && at === letters.length - 1;
}

/** Every option checked and in its long form, every other word marked. */
function* canonicalWords(
  called: Called,
  words: readonly string[],
  options: readonly Option[],
): Generator<string> {
  for (const [at, word] of words.entries()) {
    if (word === '--') {
      yield word;
      for (const arg of words.slice(at + 1)) yield MARK + arg;
      return;
    }
    if (!isOption(word)) yield MARK + word;
    else if (word.startsWith('--')) yield canonicalLong(called, word, options);
    else yield* canonicalShort(called, word, options);
  }
}

function canonicalLong(called: Called, word: string, options: readonly Option[]): string {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const known = options.find((option) => option.name === name);
  if (!known) throw unknownOption(called, `--${name}`, options);
  if (equals < 0) return word;
  if (known.value === undefined) throw usage(called, `--${name} takes no value.`);
  return `--${name}=${MARK}${word.slice(equals + 1)}`;
}

/** Switches may share a dash; what follows an option with a value in the same word is its value. */
function* canonicalShort(
  called: Called,
  word: string,
  options: readonly Option[],
): Generator<string> {
  for (const [at, letter] of Array.from(word).entries()) {
    if (at === 0) continue;
    const known = options.find(({ short }) => short === letter);
    if (!known) throw unknownOption(called, `-${letter}`, options);
    const value = word.slice(at + 1);
    if (known.value === undefined || value === '') {
      yield `--${known.name}`;
    } else {
      yield `--${known.name}=${MARK}${value.replace(/^=/, '')}`;
      return;
    }
  }
}

function valuesOf(
  called: Called,
  { name, value, repeatable }: Option,
  parsed: Readonly<Record<string, unknown>>,
): string[] | undefined {
  if (name.startsWith('no-')) {
    // cac has `wait: true` unless `--no-wait` was said.
    return parsed[camelCase(name.slice('no-'.length))] === false ? [] : undefined;
  }
  const said = parsed[camelCase(name)];
  if (said === undefined) return undefined;
  if (value === undefined) return [];
  const values = [said].flat().map((text) => (typeof text === 'string' ? text : ''));
  if (!values.every((text) => text.startsWith(MARK))) {
    throw new GolemError('usage', `--${name} needs a value.`, {
      hint: `Write --${name} ${value}, or --${name}=VALUE if it begins with a dash.`,
    });
  }
  if (!repeatable && values.length > 1) {
    throw usage(called, `--${name} was given ${values.length} times.`);
  }
  return values.map((text) => text.slice(MARK.length));
}

/** `-` alone stands for standard input. */
export function isOption(word: string): boolean {
  return word.startsWith('-') && word !== '-';
}

function unknownOption({ path }: Called, typed: string, options: readonly Option[]): GolemError {
  const guess = closest(
    typed.replace(/^-+/, ''),
    options.map(({ name }) => name),
  );
  return new GolemError('usage', `There is no option ${typed}.`, {
    hint: guess ? `Did you mean --${guess}?` : `See '${path} --help'.`,
  });
}

function usage({ command, path }: Called, message: string): GolemError {
  return new GolemError('usage', message, {
    hint: `${path} ${command.usage}`.trimEnd(),
  });
}

const camelCase = (name: string) =>
  name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
