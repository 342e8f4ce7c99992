/** Runs `golem` as a person would: as a program, with the environment of a test network. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const launcher = join(import.meta.dirname, '..', 'cli/bin/golem.js');

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  /** A prefix such as `ip netns exec X`. */
  readonly on?: readonly string[];
  readonly input?: string | Buffer;
  readonly cwd?: string;
}

/** Resolves with what a program printed, whatever its exit code. */
export function run(command: readonly string[], options: RunOptions): Promise<Finished> {
  const [program = '', ...args] = [...(options.on ?? []), ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({
        status,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }),
    );
    // A program that does not read its input ends before it was written.
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(options.input ?? '');
  });
}

/** Makes a folder in which `golem` is that of this repository's source, for a path. */
export async function installGolem(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const script = `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`;
  await writeFile(join(folder, 'golem'), script, { mode: 0o755 });
}

export type Golem = (...args: string[]) => Promise<Finished>;

/**
 * @param home folder of this requestor's keys and state: another one is another requestor
 * @param program path of another `golem` than that of this repository's source
 */
export function golemFor(
  env: Readonly<Record<string, string>>,
  home: string,
  on: readonly string[] = [],
  program: string = launcher,
): Golem {
  return (...args) =>
    run([process.execPath, program, ...args], { env: { ...env, GOLEM_HOME: home }, on });
}

/** What a command with `-o json` printed; a failure carries what it said. */
export async function json<Data>(finished: Promise<Finished>): Promise<Data> {
  const { status, stdout, stderr } = await finished;
  if (status !== 0) throw new Error(`golem ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Data;
}
