/** Finds the command, runs it in its context, prints what it gives, and knows the exit code. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { asksForJson, COMMON_OPTIONS, parseArgv } from './argv.ts';
import type { Command, Context, Input, LocalContext } from '../commands/command.ts';
import { errorJson, errorLines } from '../presenters/error.ts';
import { FORMATS, render, type Format } from '../presenters/render.ts';
import { helpOf, route } from './router.ts';
import { SELF } from '../self.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const DEFAULT_DISCOVERY = 'http://127.0.0.1:8787';
/** npm passes on at once what the terminal has sent already: that is no second signal. */
const INSISTENCE_MILLIS = 500;

/** @returns the exit code */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let input: Input | undefined;
  let failureCode: number | undefined;
  let terminal: Terminal | undefined;
  try {
    const found = route(argv);
    if (found.kind === 'help') return print(`${found.lines.join('\n')}\n`);
    const command = await found.entry.load();
    input = parseArgv(command, found.rest);
    if (input.options['help']) {
      return print(`${helpOf(found.words, found.entry, command, COMMON_OPTIONS).join('\n')}\n`);
    }
    const format = readFormat(input);
    failureCode = command.failureCode;
    terminal = openTerminal(process.stderr, process.stdin, {
      isTerse: input.options['quiet'] !== undefined,
    });
    const local = await localContext(terminal);
    const data = command.isLocal
      ? await command.run(local, input)
      : await command.run(await withClient(local), input);
    terminal.settle();
    show(command, data, input, format);
    return command.exitCode?.(data) ?? EXIT.ok;
  } catch (error) {
    terminal?.settle();
    process.stderr.write(errorText(error, argv, input));
    const exitCode = error instanceof GolemError ? error.exitCode : EXIT.failure;
    return exitCode === EXIT.usage ? exitCode : (failureCode ?? exitCode);
  }
}

async function localContext(terminal: Terminal): Promise<LocalContext> {
  const [{ pathsFrom }, { VmBook }] = await Promise.all([
    import('../state/paths.ts'),
    import('../state/book.ts'),
  ]);
  const { env } = process;
  const paths = pathsFrom(env);
  return {
    book: new VmBook(paths.vms),
    paths,
    env,
    signal: interruption(),
    now: Date.now,
    ...terminal,
    streams: { input: process.stdin, output: process.stdout },
    self: SELF,
  };
}

async function withClient(local: LocalContext): Promise<Context> {
  const [{ GolemClient }, { loadIdentity }] = await Promise.all([
    import('../sdk/client.ts'),
    import('../state/identity.ts'),
  ]);
  const { env, paths, note } = local;
  let identity: ReturnType<typeof loadIdentity> | undefined;
  const client = new GolemClient({
    discovery: env['GOLEM_DISCOVERY'] ?? DEFAULT_DISCOVERY,
    identity: () => (identity ??= loadIdentity(paths.key)),
    onWait: (reason, seconds) => note(`golem: ${reason} Trying again in ${seconds} s.`),
    ...(env['GOLEM_DEBUG'] === '1'
      ? {
          onAnswer: ({ method, path, status, requestId = 'unnamed', millis }) =>
            note(`golem: ${method} ${path} ${status} ${requestId} ${millis} ms`),
        }
      : {}),
  });
  return { ...local, client };
}

/** The first signal stops the waiting; whoever sends another one wants the program to be gone. */
function interruption(): AbortSignal {
  const stop = new AbortController();
  let first = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted && performance.now() - first > INSISTENCE_MILLIS) {
        process.exit(EXIT.interrupted);
      }
      first ||= performance.now();
      stop.abort(new GolemError('interrupted'));
    });
  }
  return stop.signal;
}

function show(command: Command, data: unknown, input: Input, format: Format): void {
  if (!command.present) return;
  if (format === 'json') {
    print(`${JSON.stringify(command.json ? command.json(data) : data, null, 2)}\n`);
    return;
  }
  const quiet = input.options['quiet'] !== undefined;
  const width = process.stdout.isTTY ? { width: process.stdout.columns } : {};
  print(render(command.present(data), { format, quiet, ...width }));
}

/** An error has the format that was asked for, even if it is about the command line itself. */
function errorText(error: unknown, argv: readonly string[], input: Input | undefined): string {
  const isJson = input ? input.options['output']?.at(-1) === 'json' : asksForJson(argv);
  if (isJson) return `${errorJson(error)}\n`;
  return `${errorLines(error, input?.options['debug'] !== undefined).join('\n')}\n`;
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

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}
