/** From the words of a command line to a command. Common options may come before it. Pure. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { closest } from '@vm-on-golem/shared/suggest';
import type { Entry, Group, Section } from '../commands/command.ts';
import { isOption, takesNextWord } from './argv.ts';
import { COMMON_OPTIONS } from './common.ts';

export interface Tree {
  readonly groups: Readonly<Record<string, Group>>;
  /** Commands without a group. */
  readonly top: Section;
}

export type Route =
  | { readonly kind: 'help' }
  | { readonly kind: 'group'; readonly name: string; readonly group: Group }
  | Found;

interface Found {
  readonly kind: 'command';
  /** The words that call it, in their canonical form: `golem vm create`. */
  readonly path: string;
  readonly entry: Entry;
  /** Everything but those words. */
  readonly rest: readonly string[];
}

/** @throws {GolemError} `usage` with a guess at what was meant */
export function route(tree: Tree, argv: readonly string[]): Route {
  const before = leadingOptions(argv);
  const [first, ...others] = argv.slice(before.length);
  if (first === undefined || isHelp(first)) {
    const topic = others.filter((word) => !isHelp(word));
    // `golem help vm create` is `golem vm create --help`.
    return topic.length === 0 ? { kind: 'help' } : route(tree, [...topic, '--help']);
  }
  const group = own(tree.groups, first);
  if (group) return routeInGroup(tree, first, group, before, others);
  const found = find([tree.top], first);
  if (found) return command(['golem', found.name], found.entry, [...before, ...others]);
  throw unknownTop(tree, first);
}

/** All commands of a group by name, in the order of the help. */
function commandsOf(sections: readonly Section[]): [name: string, entry: Entry][] {
  return sections.flatMap(({ commands }) => Object.entries(commands));
}

function routeInGroup(
  tree: Tree,
  name: string,
  group: Group,
  before: readonly string[],
  words: readonly string[],
): Route {
  const between = leadingOptions(words);
  const [word, ...after] = words.slice(between.length);
  if (word === undefined || word === 'help') {
    const [topic] = after;
    if (topic === undefined) return { kind: 'group', name, group };
    return routeInGroup(tree, name, group, before, [topic, '--help']);
  }
  if (isHelp(word)) return { kind: 'group', name, group };
  const found = find(group.sections, word);
  if (found) {
    return command(['golem', name, found.name], found.entry, [...before, ...between, ...after]);
  }
  const guess = closest(word, names(group.sections));
  if (guess) throw unknown(`golem ${name} ${word}`, `golem ${name} ${guess}`);
  throw unknown(`golem ${name} ${word}`, elsewhere(tree, word), `golem ${name} --help`);
}

function command(words: readonly string[], entry: Entry, rest: readonly string[]): Found {
  return { kind: 'command', path: words.join(' '), entry, rest };
}

/**
 * Options before the command are the common ones: of any other it is not known whether the next
 * word is its value.
 */
function leadingOptions(words: readonly string[]): string[] {
  let at = 0;
  for (; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!isOption(word) || isHelp(word)) break;
    if (!isCommon(word)) {
      if (at === words.length - 1) {
        throw new GolemError('usage', `golem itself has no option ${word.replace(/=.*/s, '')}.`, {
          hint: "See 'golem help'.",
        });
      }
      throw new GolemError('usage', `${word.replace(/=.*/s, '')} does not go before the command.`, {
        hint: 'Write it behind: golem COMMAND --option.',
      });
    }
    if (takesNextWord(word, COMMON_OPTIONS)) at += 1;
  }
  return words.slice(0, at);
}

function isCommon(word: string): boolean {
  const [, long] = /^--([^=]+)/.exec(word) ?? [];
  return COMMON_OPTIONS.some(({ name, short }) =>
    long === undefined ? short !== undefined && word.startsWith(short, 1) : long === name,
  );
}

/** Somebody who leaves out the group, or takes the wrong one, is told where the command is. */
function elsewhere(tree: Tree, word: string): string | undefined {
  for (const [group, { sections }] of Object.entries(tree.groups)) {
    const found = find(sections, word);
    if (found) return `golem ${group} ${found.name}`;
  }
  const found = find([tree.top], word);
  return found && `golem ${found.name}`;
}

function unknownTop(tree: Tree, word: string): GolemError {
  const known = ['help', ...Object.keys(tree.groups), ...names([tree.top])];
  const guess = closest(word, known);
  return unknown(`golem ${word}`, elsewhere(tree, word) ?? (guess && `golem ${guess}`));
}

function find(
  sections: readonly Section[],
  word: string,
): { name: string; entry: Entry } | undefined {
  for (const [name, entry] of commandsOf(sections)) {
    if (name === word || entry.aliases?.includes(word)) return { name, entry };
  }
  return undefined;
}

function names(sections: readonly Section[]): string[] {
  return commandsOf(sections).flatMap(([name, { aliases = [] }]) => [name, ...aliases]);
}

function own<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h' || word === 'help';
}

function unknown(words: string, guess: string | undefined, help = 'golem help'): GolemError {
  return new GolemError('usage', `There is no command '${words}'.`, {
    hint: guess ? `Did you mean '${guess}'?` : `See '${help}'.`,
  });
}
