/** From the words of a command line to a command. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Command, Entry } from '../commands/command.ts';
import { GROUPS } from '../commands/index.ts';
import { commandHelp, groupHelp } from '../presenters/help.ts';
import { closest } from '@vm-on-golem/shared/suggest';

export type Route =
  | { readonly kind: 'help'; readonly lines: readonly string[] }
  | {
      readonly kind: 'command';
      readonly words: string;
      readonly entry: Entry;
      readonly rest: readonly string[];
    };

type GroupName = keyof typeof GROUPS;

const EXAMPLES = ['golem vm providers', 'golem vm create web', 'golem vm ssh web'];

/** @throws {GolemError} `usage` with a guess at what was meant */
export function route(argv: readonly string[]): Route {
  const [first, ...rest] = argv;
  if (first === undefined || isHelp(first)) {
    const topic = rest.filter((word) => !isHelp(word));
    // `golem help vm create` is `golem vm create --help`.
    return topic.length === 0 ? help() : route([...topic, '--help']);
  }
  if (first === 'version') return help();
  if (Object.hasOwn(GROUPS, first)) return routeInGroup(first as GroupName, rest);
  const inGroup = find('vm', first);
  const guess = inGroup
    ? `vm ${inGroup.name}`
    : closest(first, ['help', 'version', ...Object.keys(GROUPS)]);
  throw unknownCommand(`golem ${first}`, guess && `golem ${guess}`);
}

/** The text of `--help` of one command. */
export function helpOf(
  words: string,
  { summary }: Entry,
  command: Command,
  commonOptions: Command['options'],
): string[] {
  const { usage, examples, options } = command;
  return commandHelp({ words, summary, usage, examples, options, commonOptions });
}

function routeInGroup(group: GroupName, [word, ...rest]: readonly string[]): Route {
  if (word === undefined || isHelp(word)) return helpOfGroup(group);
  const found = find(group, word);
  if (found)
    return { kind: 'command', words: `golem ${group} ${found.name}`, entry: found.entry, rest };
  const guess = closest(word, names(group));
  throw unknownCommand(`golem ${group} ${word}`, guess && `golem ${group} ${guess}`);
}

function help(): Route {
  const rows = Object.entries(GROUPS).map(([name, { summary }]) => ({ name, summary }));
  const lines = groupHelp({
    words: 'golem',
    summary: 'rent a VM as easily as ordering a pizza',
    examples: EXAMPLES,
    commands: [...rows, { name: 'version', summary: 'which version this is' }],
  });
  return { kind: 'help', lines };
}

function helpOfGroup(group: GroupName): Route {
  const { summary, commands } = GROUPS[group];
  const rows = Object.entries(commands).map(([name, entry]) => ({ name, summary: entry.summary }));
  const lines = groupHelp({
    words: `golem ${group}`,
    summary,
    examples: EXAMPLES,
    commands: rows,
  });
  return { kind: 'help', lines };
}

function find(group: GroupName, word: string): { name: string; entry: Entry } | undefined {
  const commands: Readonly<Record<string, Entry>> = GROUPS[group].commands;
  for (const [name, entry] of Object.entries(commands)) {
    if (name === word || entry.aliases?.includes(word)) return { name, entry };
  }
  return undefined;
}

function names(group: GroupName): string[] {
  const commands: Readonly<Record<string, Entry>> = GROUPS[group].commands;
  return Object.entries(commands).flatMap(([name, { aliases = [] }]) => [name, ...aliases]);
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h' || word === 'help';
}

function unknownCommand(words: string, guess: string | undefined): GolemError {
  return new GolemError('usage', `There is no command '${words}'.`, {
    hint: guess ? `Did you mean '${guess}'?` : "See 'golem help'.",
  });
}
