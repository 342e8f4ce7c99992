/** `golem`: finds the command, runs it in its context, prints what it gives, sets the exit code. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import type { Command, Context, Input } from './commands/command.ts';
import { errorLines } from './presenters/error.ts';
import { FORMATS, render, type Format } from './presenters/render.ts';
import { helpOf, route } from './router.ts';

const DEFAULT_DISCOVERY = 'http://127.0.0.1:8787';

/** A reader that went away, such as `head`, is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let format: Format | undefined;
  let isDebugging = false;
  let failureCode: number | undefined;
  try {
    const found = route(argv);
    if (found.kind === 'version') return print(`golem ${version()}\n`);
    if (found.kind === 'help') return print(`${found.lines.join('\n')}\n`);
    const [{ COMMON_OPTIONS, parseArgv }, command] = await Promise.all([
      import('./argv.ts'),
      found.entry.load(),
    ]);
    const input = parseArgv(command, found.rest);
    if (input.options['help']) {
      return print(`${helpOf(found.words, found.entry, command, COMMON_OPTIONS).join('\n')}\n`);
    }
    isDebugging = input.options['debug'] !== undefined;
    format = readFormat(input);
    failureCode = command.failureCode;
    const data = await command.run(await contextFor(input), input);
    show(command, data, input, format);
    return command.exitCode?.(data) ?? EXIT.ok;
  } catch (error) {
    if (format === 'json' && error instanceof GolemError) {
      process.stderr.write(`${JSON.stringify(error.toBody())}\n`);
    } else {
      process.stderr.write(`${errorLines(error, isDebugging).join('\n')}\n`);
    }
    const exitCode = error instanceof GolemError ? error.exitCode : EXIT.failure;
    return exitCode === EXIT.usage ? exitCode : (failureCode ?? exitCode);
  }
}

async function contextFor(input: Input): Promise<Context> {
  const [{ GolemClient }, { loadIdentity }, { pathsFrom }, { VmBook }, { openTerminal }] =
    await Promise.all([
      import('./client/client.ts'),
      import('./state/identity.ts'),
      import('./state/paths.ts'),
      import('./state/vms.ts'),
      import('./terminal.ts'),
    ]);
  const { env } = process;
  const paths = pathsFrom(env);
  const terminal = openTerminal(
    process.stderr,
    process.stdin,
    input.options['quiet'] !== undefined,
  );
  let identity: ReturnType<typeof loadIdentity> | undefined;
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stop.abort(new GolemError('interrupted')));
  }
  return {
    client: new GolemClient({
      discovery: env['GOLEM_DISCOVERY'] ?? DEFAULT_DISCOVERY,
      identity: () => (identity ??= loadIdentity(paths.key)),
      onWait: (reason, seconds) => terminal.note(`golem: ${reason} Trying again in ${seconds} s.`),
    }),
    book: new VmBook(paths.vms),
    paths,
    env,
    signal: stop.signal,
    now: Date.now,
    ...terminal,
    self: [process.execPath, fileURLToPath(new URL('../bin/golem.js', import.meta.url))],
  };
}

function show(command: Command, data: unknown, input: Input, format: Format): void {
  if (format === 'json' && command.present) {
    print(`${JSON.stringify(command.json ? command.json(data) : data, null, 2)}\n`);
  } else if (command.present) {
    const quiet = input.options['quiet'] !== undefined;
    const width = process.stdout.isTTY ? process.stdout.columns : undefined;
    print(
      render(command.present(data), { format, quiet, ...(width === undefined ? {} : { width }) }),
    );
  }
}

/** For people on a terminal a table, for programs what they can split. */
function readFormat(input: Input): Format {
  const text = input.options['output']?.at(-1);
  if (text === undefined) return process.stdout.isTTY ? 'table' : 'tsv';
  const format = FORMATS.find((candidate) => candidate === text);
  if (format) return format;
  throw new GolemError('usage', `There is no output format '${text}'.`, {
    hint: `There are ${FORMATS.join(', ')}.`,
  });
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  const { version: text } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return text;
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}
