/** Programs of the system that set networks up. They are short, or they have gone wrong. */
import { spawn } from 'node:child_process';
import { DriverError } from '../../driver.ts';
import type { GuestUser } from './network.ts';

/** What a busy machine needs to load a table of rules, and some. */
const COMMAND_MILLIS = 20_000;
/** A table of all counters of a thousand guests is below this. */
const OUTPUT_BYTES = 4 * 1024 * 1024;

/** Debian keeps `ip` and `nft` where only root looks. */
export const SYSTEM_PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`;

export interface CommandOptions {
  readonly input?: string;
  readonly user?: GuestUser | undefined;
}

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws {DriverError} `unavailable` with the program's own words when it fails */
export async function command(
  words: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await attempt(words, options);
  if (status === 0) return stdout;
  const said = stderr.trim().split('\n')[0] || `it ended with ${status}`;
  throw new DriverError('unavailable', `The network could not be set up: ${words[0]}: ${said}`);
}

/** @throws {DriverError} `unavailable` when the program is not installed or does not end */
export async function attempt(
  [program = '', ...args]: readonly string[],
  { input = '', user }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    env: { ...process.env, PATH: SYSTEM_PATH, LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: COMMAND_MILLIS,
    killSignal: 'SIGKILL',
    ...user,
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      if (output[name].length < OUTPUT_BYTES) output[name] += chunk;
    });
  }
  // One that ends without reading says so by its status.
  child.stdin.on('error', () => undefined).end(input);
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  child.once('error', (cause) => {
    reject(new DriverError('unavailable', `The program ${program} cannot be run.`, { cause }));
  });
  child.once('close', (code) => resolve({ status: code ?? 1, ...output }));
  return promise;
}
