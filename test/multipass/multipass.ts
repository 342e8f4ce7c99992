#!/usr/bin/env node
/**
 * An executable stand-in for `multipass`, the client. It behaves as the sources of 1.13.1, 1.14.1,
 * 1.15.1 and 1.16.3 say (c8ab690c06ee for the last), whichever `MULTIPASS_STANDIN_VERSION` names:
 * flags, exit codes, the words on stderr, the layout of JSON, a spinner on stdout. What it cannot do
 * (`exec`, `shell`, mounts, networks, other formats) it refuses. Its daemon is daemon.ts.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { COMMANDS, type Command } from './grammar.ts';
import { printJson } from './json.ts';
import {
  FOLDER_VARIABLE,
  faultsOf,
  since,
  socketOf,
  VERSION_VARIABLE,
  VERSIONS,
  type Faults,
  type Reply,
  type Request,
  type Version,
} from './wire.ts';

const CODES = { commandLine: 1, failed: 2, timeout: 5 } as const;
const SPINNER_MILLIS = 100;
const CRASH_MILLIS = 300;

const dir = process.env[FOLDER_VARIABLE] ?? '';
const version = (process.env[VERSION_VARIABLE] ?? VERSIONS.at(-1)) as Version;
const faults = readFaults();

const [name = '', ...words] = process.argv.slice(2);
const command = COMMANDS[name];
if (!command) quit(CODES.commandLine, `Unknown command '${name}' (try "multipass help")\n`);
const { names, options } = readWords(command, words);
if (faults.client && isAffected()) await fail(faults.client);
await run(command);

async function run(command: Command): Promise<void> {
  if (options['format'] !== undefined && options['format'] !== 'json') {
    quit(CODES.commandLine, 'Invalid format type given.\n');
  }
  if (name === 'restore' && !options['destructive']) {
    quit(CODES.commandLine, '[error] [client] Caught an unhandled exception\n');
  }
  const snapshots = name === 'delete' && names.some((target) => target.includes('.'));
  if (snapshots && !options['purge']) {
    quit(CODES.commandLine, 'Snapshots can only be purged; use the --purge flag.\n');
  }
  const stdin = options['cloud-init'] === '-' ? await text(process.stdin) : '';
  const spinner = command.spinner ? spin(command.spinner) : undefined;
  const seconds = faults.timeoutSeconds ?? Number(options['timeout'] ?? Number.NaN);
  if (command.impatience !== undefined && options['timeout'] !== undefined) {
    // The daemon goes on with it.
    setTimeout(() => quit(CODES.timeout, `${command.impatience}\n`), seconds * 1000);
  }
  const reply = await ask({ command: name, names, options, stdin });
  spinner?.[Symbol.dispose]();
  if (reply === undefined && name === 'version') say(printJson({ multipass: version }));
  if (reply === undefined) {
    quit(CODES.failed, `${name} failed: cannot connect to the multipass socket\n`);
  }
  if ('failed' in reply) quit(CODES.failed, `${name} failed: ${reply.failed}\n`);
  say(command.print(reply.data, names));
}

function readWords(command: Command, args: readonly string[]) {
  let parsed;
  try {
    const known = Object.entries(command.options).filter(([option]) =>
      since(version, command.later?.[option] ?? VERSIONS[0]),
    );
    parsed = parseArgs({
      ...{ args: [...args], options: Object.fromEntries(known) },
      ...{ allowPositionals: true, strict: true },
    });
  } catch (error) {
    return quit(CODES.commandLine, `${(error as Error).message}\n`);
  }
  const [least, most] = command.names;
  const { positionals: names, values } = parsed;
  if (names.length < least) quit(CODES.commandLine, 'Need the name of an instance.\n');
  if (names.length > most) quit(CODES.commandLine, 'Too many arguments supplied\n');
  const cpus = values['cpus'];
  if (cpus !== undefined && !/^[1-9]\d*$/.test(String(cpus))) {
    const wanted = 'need a positive integer value.';
    quit(CODES.commandLine, `Error: invalid CPU count '${String(cpus)}', ${wanted}\n`);
  }
  return { names, options: values as Request['options'] };
}

/** @returns undefined when there is no daemon */
async function ask(request: Request): Promise<Reply | undefined> {
  const socket = connect({ path: socketOf(dir), allowHalfOpen: true });
  const connected = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  if (!connected) return undefined;
  socket.on('error', () => undefined).end(JSON.stringify(request));
  const answer = await text(socket).catch(() => '');
  return answer === '' ? undefined : (JSON.parse(answer) as Reply);
}

function spin(words: string): Disposable {
  const clear = '\u001b[2K\u001b[0A\u001b[0E';
  let turn = 0;
  process.stdout.write(`${clear}${words}  `);
  const timer = setInterval(() => {
    process.stdout.write(`\b${'|/-\\'[turn % 4]}`);
    turn += 1;
  }, SPINNER_MILLIS);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      process.stdout.write(clear);
    },
  };
}

/** Prints an answer, as far as the faults let it, and ends. Pipes are written to at once. */
function say(words: string): never {
  const spoilt: Partial<Record<NonNullable<Faults['client']>, string>> = {
    junk: '\u0000\uFFFD{"list": 7,, "info"',
    mute: '',
    cut: words.slice(0, words.length / 2),
  };
  const said = faults.client && isAffected() ? spoilt[faults.client] : undefined;
  process.stdout.write(said ?? words);
  process.exit(0);
}

function isAffected(): boolean {
  return faults.commands?.includes(name) ?? true;
}

async function fail(how: NonNullable<Faults['client']>): Promise<void> {
  if (how === 'idle') process.exit(0);
  if (how === 'hang') await new Promise(() => setInterval(() => undefined, 1000));
  // One that changes something has asked for it by then.
  const crash = () => process.kill(process.pid, 'SIGKILL');
  if (how === 'crash' && command?.spinner) setTimeout(crash, CRASH_MILLIS);
  else if (how === 'crash') crash();
  if (how === 'flood') {
    for (;;) await new Promise((more) => process.stdout.write('x'.repeat(65_536), more));
  }
}

function quit(code: number, words: string): never {
  process.stderr.write(words);
  process.exit(code);
}

function readFaults(): Faults {
  try {
    return JSON.parse(readFileSync(faultsOf(dir), 'utf8')) as Faults;
  } catch {
    // There are none.
    return {};
  }
}
