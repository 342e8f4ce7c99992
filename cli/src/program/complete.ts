/**
 * What may come next on a command line that is being typed. Pure; loads nothing, so that Tab is
 * answered at once. `golem __complete WORDS...` prints it for the scripts of the shells.
 */
import type { CommandWords, OptionWords, Words } from './words.ts';

export interface Candidate {
  readonly text: string;
  readonly summary: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names of files fit as well, which the shell knows best. */
  readonly files?: boolean;
  /** What follows belongs to the same word. */
  readonly isOpen?: boolean;
}

/** Names that are on this machine only. */
export interface Names {
  vms(): readonly string[];
  contexts(): readonly string[];
  settings(): readonly string[];
}

const NOTHING: Completion = { candidates: [] };

/** @param typed the words behind `golem`, the last of which is being typed and may be empty */
export function complete(words: Words, typed: readonly string[], names: Names): Completion {
  const { before, current, isBare } = readTyped(typed);
  const { completion, prefix } = find(words, before, current, names);
  // A shell that splits words at `=` has the option already.
  const shown = isBare ? '' : prefix;
  const wanted = current.slice(prefix.length);
  const candidates = completion.candidates
    .filter(({ text }) => text.startsWith(wanted))
    .map(({ text, summary }) => ({ text: shown + text, summary }));
  return { ...completion, candidates };
}

/** Lines for the scripts: candidates and, behind a colon, what else the shell has to do. */
export function completionLines({ candidates, files, isOpen }: Completion): string[] {
  return [
    ...candidates.map(({ text, summary }) => `${text}\t${summary}`),
    ...(files ? [':files'] : []),
    ...(isOpen ? [':open'] : []),
  ];
}

/** Bash splits `--size=sm` into three words. */
function readTyped(typed: readonly string[]) {
  const last = typed.at(-1) ?? '';
  const [option, equals] =
    last === '=' ? [typed.at(-2), true] : [typed.at(-3), typed.at(-2) === '='];
  if (!equals || !option?.startsWith('--')) {
    return { before: typed.slice(0, -1), current: last, isBare: false };
  }
  const before = typed.slice(0, last === '=' ? -2 : -3);
  return { before, current: `${option}=${last === '=' ? '' : last}`, isBare: true };
}

interface Position {
  /** Words that are no options and no values of any. */
  readonly args: string[];
  /** The option whose value comes next. */
  readonly open: OptionWords | undefined;
  readonly isAfterEnd: boolean;
}

function find(
  words: Words,
  before: readonly string[],
  current: string,
  names: Names,
): { completion: Completion; prefix: string } {
  const [topic] = before;
  const path = topic === 'help' ? before.slice(1) : before;
  const { command, rest } = commandAt(words, path);
  const options = [...(command?.options ?? []), ...words.common];
  const { args, open, isAfterEnd } = positionOf(rest, options);
  if (open) return { completion: valuesOf(open, names), prefix: '' };
  if (isAfterEnd || (command?.passesOn && args.length > 0)) {
    return { completion: NOTHING, prefix: '' };
  }
  const [prefix, option] = /^--([^=]+)=/.exec(current) ?? [];
  if (prefix !== undefined) {
    const known = options.find(({ name, value }) => name === option && value !== undefined);
    return { completion: known ? valuesOf(known, names) : NOTHING, prefix };
  }
  if (current.startsWith('-')) return { completion: optionList(options), prefix: '' };
  if (command) {
    if (topic === 'help') return { completion: NOTHING, prefix: '' };
    return { completion: argument(command, args.length, names), prefix: '' };
  }
  return { completion: commandList(words, args), prefix: '' };
}

/** The command that these words call, and the words that are not its name. */
function commandAt({ commands, groups, common }: Words, typed: readonly string[]) {
  const { args } = positionOf(typed, common);
  const [first, second] = args;
  const isGroup = groups.some(({ name }) => name === first);
  const group = isGroup ? first : undefined;
  const word = isGroup ? second : first;
  const command = commands.find(
    (each) =>
      each.group === group &&
      word !== undefined &&
      (each.name === word || each.aliases?.includes(word)),
  );
  if (!command) return { command, rest: typed };
  const rest = [...typed];
  for (const name of [group, word]) {
    if (name !== undefined) rest.splice(rest.indexOf(name), 1);
  }
  return { command, rest };
}

function positionOf(typed: readonly string[], options: readonly OptionWords[]): Position {
  const args: string[] = [];
  let open: OptionWords | undefined;
  let isAfterEnd = false;
  for (const word of typed) {
    if (open) open = undefined;
    else if (isAfterEnd || !word.startsWith('-') || word === '-') args.push(word);
    else if (word === '--') isAfterEnd = true;
    else open = opened(word, options);
  }
  return { args, open, isAfterEnd };
}

/** The option of `word` whose value is the next word. */
function opened(word: string, options: readonly OptionWords[]): OptionWords | undefined {
  const takesValue = options.filter(({ value }) => value !== undefined);
  if (word.startsWith('--')) return takesValue.find(({ name }) => word === `--${name}`);
  return takesValue.find(({ short }) => short !== undefined && word.endsWith(short));
}

function optionList(options: readonly OptionWords[]): Completion {
  const seen = new Set<string>();
  const candidates = options.flatMap(({ name, summary }) => {
    if (seen.has(name)) return [];
    seen.add(name);
    return [{ text: `--${name}`, summary }];
  });
  return { candidates };
}

function commandList({ groups, commands }: Words, [group, ...more]: readonly string[]): Completion {
  if (more.length > 0) return NOTHING;
  if (group !== undefined && !groups.some(({ name }) => name === group)) return NOTHING;
  const here = commands.filter((command) => command.group === group);
  const all = group === undefined ? [...groups, ...here, { name: 'help', summary: 'help' }] : here;
  return { candidates: all.map(({ name, summary }) => ({ text: name, summary })) };
}

function argument({ usage }: CommandWords, at: number, names: Names): Completion {
  const wanted = usage.split(' ').filter((word) => word !== '');
  const word = wanted[at] ?? wanted.find((each) => each.includes('...'));
  return word === undefined ? NOTHING : named(word, names);
}

function valuesOf({ value = '', choices }: OptionWords, names: Names): Completion {
  if (choices) return { candidates: choices.map((text) => ({ text, summary: '' })) };
  return named(value, names);
}

/** By what stands for it in the help. `[NAME]` is a name to be given, and nobody knows it yet. */
function named(word: string, names: Names): Completion {
  const list = (texts: readonly string[]): Completion => ({
    candidates: texts.map((text) => ({ text, summary: '' })),
  });
  if (/^\[?NAME:PATH|^SOURCE|^TARGET/.test(word)) {
    const { candidates } = list(names.vms().map((name) => `${name}:`));
    return { candidates, files: true, isOpen: true };
  }
  if (/^NAME|^\[NAME\.\.\.\]/.test(word)) return list(names.vms());
  if (/^\[?CONTEXT/.test(word)) return list(names.contexts());
  if (/^\[?SETTING/.test(word)) return list(names.settings());
  if (/^\[?(FILE|DIR|PATH)/.test(word)) return { candidates: [], files: true };
  // Words that are to be typed as they are: `bash|zsh`.
  if (/^[a-z-]+(\|[a-z-]+)+$/.test(word)) return list(word.split('|'));
  return NOTHING;
}
