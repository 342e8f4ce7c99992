/** `golem-provider`: reads the command line, runs one command, says what went wrong in one place. */
import { parseArgs } from 'node:util';
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { cac } from 'cac';
import { run } from './agent.ts';
import {
  readConfig,
  readDataDir,
  SETTINGS,
  type Environment,
  type Flags,
  type Setting,
  type SettingName,
} from './config.ts';
import { openProviderIdentity } from './identity/provider.ts';
import { openLog } from './log.ts';
import { closest } from '@vm-on-golem/shared/suggest';
import { VERSION } from './version.ts';

/** Whoever sends a second signal means it; npm passes on at once what the terminal has sent already. */
const INSISTENCE_MILLIS = 500;

/** The parts of `process` that the program uses. */
export interface Surroundings {
  readonly env: Environment;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): never;
}

interface Call {
  readonly flags: Flags;
  readonly asJson: boolean;
  readonly around: Surroundings;
}

interface Command {
  readonly help: string;
  readonly settings: readonly SettingName[];
  /** @returns the exit code */
  readonly run: (call: Call) => Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  start: {
    help: 'Connect to discovery and serve VMs until stopped',
    settings: Object.keys(SETTINGS) as SettingName[],
    run: start,
  },
  id: {
    help: "Print this provider's id, and make its key if there is none",
    settings: ['data-dir'],
    run: async ({ flags, asJson, around }) => {
      const { id, publicKey } = await openProviderIdentity(readDataDir(flags, around.env));
      around.stdout.write(`${asJson ? JSON.stringify({ provider: id, publicKey }) : id}\n`);
      return EXIT.ok;
    },
  },
  version: {
    help: 'Print the version',
    settings: [],
    run: async ({ asJson, around }) => {
      around.stdout.write(`${asJson ? JSON.stringify({ version: VERSION }) : VERSION}\n`);
      return EXIT.ok;
    },
  },
};

/** @returns the exit code */
export async function program(args: readonly string[], around: Surroundings): Promise<number> {
  try {
    return await dispatch(args, around);
  } catch (error) {
    return report(error, args, around);
  }
}

async function dispatch(args: readonly string[], around: Surroundings): Promise<number> {
  const name = args.find((arg) => !arg.startsWith('-'));
  const wantsHelp = args.includes('--help') || args.includes('-h') || name === 'help';
  if (wantsHelp || args.length === 0) {
    help(name);
    return args.length === 0 ? EXIT.usage : EXIT.ok;
  }
  if (args[0] === '--version' || args[0] === '-v') return program(['version'], around);
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name ?? ''] : undefined;
  if (!command || args[0] !== name) {
    throw unknown('command', name ?? args[0] ?? '', Object.keys(COMMANDS));
  }
  const { flags, asJson } = readFlags(command, args.slice(1));
  return command.run({ flags, asJson, around });
}

/** cac turns `0012` into 12 and reads past typos: it writes the help, and `parseArgs` reads. */
function readFlags(command: Command, args: readonly string[]) {
  const options = Object.fromEntries(
    command.settings.map((name) => {
      const { value, multiple = false }: Setting = SETTINGS[name];
      const type = value === undefined ? ('boolean' as const) : ('string' as const);
      return [name, { type, multiple }];
    }),
  );
  const known = { ...options, output: { type: 'string' as const, short: 'o' } };
  const { tokens } = parseArgs({ args: [...args], options: known, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional') {
      throw new GolemError('usage', `'${token.value}' is one argument too many.`);
    }
    if (token.kind === 'option' && !Object.hasOwn(known, token.name)) {
      throw unknown(
        'option',
        token.rawName,
        Object.keys(known).map((name) => `--${name}`),
      );
    }
  }
  const { output, ...flags } = parseArgs({ args: [...args], options: known }).values;
  if (output !== undefined && output !== 'json' && output !== 'text') {
    throw new GolemError('usage', `-o takes json or text, not '${output}'.`);
  }
  return { flags: flags as Flags, asJson: output === 'json' };
}

function unknown(what: string, given: string, known: readonly string[]): GolemError {
  const near = closest(given, known);
  return new GolemError('usage', `There is no ${what} '${given}'.`, {
    hint: near === undefined ? 'See golem-provider --help.' : `Did you mean ${near}?`,
  });
}

function help(name: string | undefined): void {
  const cli = cac('golem-provider').help();
  for (const [command, { help, settings }] of Object.entries(COMMANDS)) {
    const shown = cli.command(command, help).option('-o, --output <FORMAT>', 'json or text (text)');
    for (const setting of settings) {
      const { value, help }: Setting = SETTINGS[setting];
      shown.option(`--${setting}${value === undefined ? '' : ` <${value}>`}`, help);
    }
  }
  const known = name !== undefined && Object.hasOwn(COMMANDS, name);
  cli.parse(['node', 'golem-provider', ...(known ? [name] : []), '--help'], { run: false });
}

async function start({ flags, asJson, around }: Call): Promise<number> {
  const config = readConfig(flags, around.env);
  const log = openLog({ level: config['log-level'], file: config['log-file'] });
  const stopping = new AbortController();
  let code: number = EXIT.ok;
  let stoppedAt = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    code = signal === 'SIGINT' ? EXIT.interrupted : EXIT.ok;
    if (stopping.signal.aborted) {
      if (performance.now() - stoppedAt > INSISTENCE_MILLIS) around.exit(code);
      return;
    }
    stoppedAt = performance.now();
    log.info({ signal }, 'stopping');
    stopping.abort();
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) around.on(signal, onSignal);
  try {
    await run(config, stopping.signal, {
      log,
      connected: (facts) => {
        const { provider, name, driver, discovery } = facts;
        around.stdout.write(
          asJson
            ? `${JSON.stringify(facts)}\n`
            : `${provider} (${name}, ${driver}) is connected to ${discovery}\n`,
        );
      },
    });
  } finally {
    for (const signal of signals) around.off(signal, onSignal);
  }
  return code;
}

function report(error: unknown, args: readonly string[], { stderr }: Surroundings): number {
  const known =
    error instanceof GolemError
      ? error
      : isUsage(error)
        ? new GolemError('usage', error.message)
        : new GolemError('internal', error instanceof Error ? error.message : String(error));
  if (args.includes('json')) stderr.write(`${JSON.stringify(known.toBody())}\n`);
  else {
    stderr.write(`golem-provider: ${known.message}\n`);
    if (known.hint !== undefined) stderr.write(`${known.hint}\n`);
  }
  return known.exitCode;
}

function isUsage(error: unknown): error is Error {
  return (
    error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  );
}
