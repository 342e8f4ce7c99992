/** Finds the command, runs it in its context, prints what it gives, and knows the exit code. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import type { Command, Input, LocalContext } from '../commands/command.ts';
import { GROUPS, TOP } from '../commands/index.ts';
import { paletteOf, wantsColour } from '../presenters/colour.ts';
import { errorJson, errorLines } from '../presenters/error.ts';
import { formatAskedFor, parseArgv } from './argv.ts';
import { coloured } from './coloured.ts';
import { localContext, withClient } from './context.ts';
import { helpFor } from './help.ts';
import { explained, interruption } from './interruption.ts';
import { outputOptions, show, showAll, type OutputOptions } from './output.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { compileNoSchemas } from './schemas.ts';
import { dataSink, streams } from './streams.ts';
import { route } from './tree.ts';

const TREE = { groups: GROUPS, top: TOP };

/** @returns the exit code */
export async function runProgram(argv: readonly string[]): Promise<number> {
  compileNoSchemas();
  let input: Input | undefined;
  let command: Command | undefined;
  let terminal: Terminal | undefined;
  try {
    const found = route(TREE, argv);
    if (found.kind !== 'command') return print(await helpFor(TREE, found));
    command = await found.entry.load();
    input = parseArgv(command, found.rest, found.path);
    if (input.options['help']) return print(await helpFor(TREE, found));
    terminal = openTerminal(streams, {
      isTerse: input.options['quiet'] !== undefined,
      isAgreed: input.options['yes'] !== undefined,
      isSilent: input.options['no-input'] !== undefined,
    });
    return await runCommand(command, input, terminal);
  } catch (error) {
    terminal?.settle();
    const said = command && input ? explained(error, command, input) : error;
    streams.error.write(errorText(said, argv, input));
    const exitCode = said instanceof GolemError ? said.exitCode : EXIT.failure;
    return exitCode === EXIT.usage ? exitCode : (command?.failureCode ?? exitCode);
  }
}

async function runCommand(command: Command, input: Input, terminal: Terminal): Promise<number> {
  const { env } = process;
  const stdout = dataSink();
  const options = outputOptions(input, stdout, env);
  const signal = interruption();
  const trace = traceOf(input, env, terminal);
  const local = localContext(command, input, { terminal, signal, trace });
  try {
    return await runIn(local, command, input, options, terminal);
  } catch (error) {
    if (!(error instanceof GolemError) || error.code !== 'discovery_unreachable') throw error;
    const { unreached } = await import('./unreached.ts');
    throw unreached(error, local.home);
  } finally {
    if (local.book.isChanged) {
      const { refreshHosts } = await import('../commands/work/hosts.ts');
      await refreshHosts(local);
    }
  }
}

async function runIn(
  local: LocalContext,
  command: Command,
  input: Input,
  options: OutputOptions,
  terminal: Terminal,
): Promise<number> {
  const stdout = dataSink();
  if (command.isLocal) {
    const data = await command.run(local, input);
    terminal.settle();
    await show(command, data, options, stdout);
    return command.exitCode?.(data) ?? EXIT.ok;
  }
  const context = await withClient(local);
  const values = command.follow?.(context, input);
  if (values) {
    await showAll(command, values, options, stdout);
    return EXIT.ok;
  }
  const data = await command.run(context, input);
  terminal.settle();
  await show(command, data, options, stdout);
  return command.exitCode?.(data) ?? EXIT.ok;
}

/** Requests are shown by `--debug`, and even to whoever wants nothing but ids. */
function traceOf(input: Input, env: LocalContext['env'], terminal: Terminal) {
  if (input.options['debug'] === undefined && env['GOLEM_DEBUG'] !== '1') return undefined;
  return (line: string) => {
    terminal.settle();
    streams.error.write(`${line}\n`);
  };
}

/** An error has the format that was asked for, even if it is about the command line itself. */
function errorText(error: unknown, argv: readonly string[], input: Input | undefined): string {
  const format = input ? input.options['output']?.at(-1) : formatAskedFor(argv);
  // What is JSON is YAML as well.
  if (format === 'json' || format === 'yaml') return `${errorJson(error)}\n`;
  const isRefused = input ? input.options['no-color'] !== undefined : argv.includes('--no-color');
  const isTerminal = streams.error.isTTY;
  const palette = paletteOf(
    wantsColour({ env: process.env, isTerminal, isRefused }) ? coloured : undefined,
  );
  const isDebug = input ? input.options['debug'] !== undefined : argv.includes('--debug');
  return `${errorLines(error, isDebug, palette).join('\n')}\n`;
}

function print(text: string): number {
  dataSink().write(text);
  return EXIT.ok;
}
