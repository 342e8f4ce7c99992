/** `golem-provider`: finds the command, runs it, prints what it gives, and knows the exit code. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { asksForJson, parseArgv, unknown } from './argv.ts';
import type { Surroundings } from './commands/command.ts';
import { COMMAND_GROUPS, COMMANDS, FIRST_STEPS, type Entry } from './commands/index.ts';

/** @returns the exit code */
export async function program(words: readonly string[], around: Surroundings): Promise<number> {
  try {
    return await dispatch(words, around);
  } catch (error) {
    return report(error, words, around);
  }
}

async function dispatch(words: readonly string[], around: Surroundings): Promise<number> {
  const [first = '', ...others] = words;
  // `golem-provider help pricing set` is `golem-provider pricing set --help`.
  if (first === 'help' && others.length > 0) return dispatch([...others, '--help'], around);
  if (words.length === 0 || ['help', '--help', '-h'].includes(first)) {
    const title = 'golem-provider: rent out this machine, and keep it yours';
    await help(title, FIRST_STEPS, COMMANDS, around);
    return words.length === 0 ? EXIT.usage : EXIT.ok;
  }
  const found = find(words);
  if (found.kind === 'group') {
    const commands = await Promise.all(Object.values(found.commands).map(({ load }) => load()));
    const examples = commands.flatMap((command) => command.examples.slice(0, 1));
    const title = `golem-provider ${first}: ${COMMAND_GROUPS[first]}`;
    await help(title, examples, found.commands, around);
    return words.length === 1 ? EXIT.usage : EXIT.ok;
  }
  const { name, entry, rest } = found;
  const command = await entry.load();
  const input = parseArgv(name, command, rest);
  if (input.options['help']) {
    const { commandHelp } = await import('./help.ts');
    print(commandHelp(name, entry, command), around);
    return EXIT.ok;
  }
  const data = await command.run(input, around);
  if (command.present) {
    print(input.asJson ? [JSON.stringify(data)] : command.present(data), around);
  }
  return command.exitCode?.(data) ?? EXIT.ok;
}

type Found =
  | { readonly kind: 'command'; name: string; entry: Entry; rest: readonly string[] }
  | { readonly kind: 'group'; commands: Readonly<Record<string, Entry>> };

/** @throws {GolemError} `usage` with a guess at what was meant */
function find(words: readonly string[]): Found {
  const [first = '', second] = words;
  const pair = `${first} ${second}`;
  for (const [name, length] of [
    [pair, 2],
    [first, 1],
  ] as const) {
    const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (entry) return { kind: 'command', name, entry, rest: words.slice(length) };
  }
  const group = Object.entries(COMMANDS).filter(([name]) => name.startsWith(`${first} `));
  if (group.length === 0) {
    const known = [...Object.keys(COMMANDS), ...Object.keys(COMMAND_GROUPS)];
    throw unknown('command', first, known, 'golem-provider --help lists them all.');
  }
  if (second === undefined || second === '--help' || second === '-h') {
    return { kind: 'group', commands: Object.fromEntries(group) };
  }
  throw unknown(
    'command',
    pair,
    group.map(([name]) => name),
    `golem-provider ${first} --help lists those that there are.`,
  );
}

async function help(
  title: string,
  examples: readonly string[],
  commands: Readonly<Record<string, Entry>>,
  around: Surroundings,
): Promise<void> {
  const { groupHelp } = await import('./help.ts');
  print(groupHelp(title, examples, commands), around);
}

function print(lines: readonly string[], { stdout }: Surroundings): void {
  if (lines.length > 0) stdout.write(`${lines.join('\n')}\n`);
}

function report(error: unknown, words: readonly string[], { stderr }: Surroundings): number {
  const known =
    error instanceof GolemError
      ? error
      : new GolemError('internal', error instanceof Error ? error.message : String(error));
  if (asksForJson(words)) stderr.write(`${JSON.stringify(known.toBody())}\n`);
  else {
    stderr.write(`golem-provider: ${known.message}\n`);
    if (known.hint !== undefined) stderr.write(`${known.hint}\n`);
  }
  return known.exitCode;
}
