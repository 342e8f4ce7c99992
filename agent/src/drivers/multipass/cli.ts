/**
 * One call of the `multipass` program. It is a client: what it asked for goes on in the daemon when
 * it is killed, so that its end proves nothing but its own exit code does.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { MULTIPASS_LIMITS } from './limits.ts';

/**
 * - `exited`: with its exit code, and all that it said
 * - `crashed`: by a signal that was not ours
 * - `timeout`, `aborted`, `flooded`: we ended it: it took too long, nobody waits, it said too much
 * - `missing`: there is no such program, or it cannot be started
 */
export type Outcome =
  | {
      readonly how: 'exited';
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
    }
  | { readonly how: 'crashed' | 'timeout' | 'aborted' | 'flooded' | 'missing' };

export interface CallOptions {
  readonly millis: number;
  readonly signal?: AbortSignal;
  readonly stdin?: string;
  /**
   * Whether stdout is an answer. That of a command which changes something is a spinner, terminal or
   * not, and nobody reads it.
   */
  readonly answers?: boolean;
}

export interface CliOptions {
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** After its end somebody else may hold its streams open. */
const DRAIN_MILLIS = 1_000;

export class MultipassCli {
  readonly #program: string;
  readonly #environment: NodeJS.ProcessEnv;

  constructor({ program, environment }: CliOptions) {
    this.#program = program;
    // Complaints are recognised by their words. Qt adds a warning of its own to plain `C`.
    this.#environment = { ...environment, LC_ALL: 'C.UTF-8' };
  }

  async call(args: readonly string[], options: CallOptions): Promise<Outcome> {
    const { millis, signal, stdin = '', answers = false } = options;
    if (signal?.aborted) return { how: 'aborted' };
    const child = spawn(this.#program, args, {
      env: this.#environment,
      stdio: ['pipe', answers ? 'pipe' : 'ignore', 'pipe'],
    });
    let cause: 'timeout' | 'aborted' | 'flooded' | undefined;
    const end = (why: typeof cause) => {
      cause ??= why;
      child.kill('SIGKILL');
    };
    const out = collect(child.stdout, MULTIPASS_LIMITS.stdoutBytes, () => end('flooded'));
    const complaints = collect(child.stderr, MULTIPASS_LIMITS.stderrBytes, () => undefined);
    const timer = setTimeout(() => end('timeout'), millis);
    const onAbort = () => end('aborted');
    signal?.addEventListener('abort', onAbort, { once: true });
    // A program that ends before it has read this says why by its exit code.
    child.stdin?.on('error', () => undefined).end(stdin);
    try {
      const exit = await ended(child);
      if (exit === undefined) return { how: 'missing' };
      if (cause !== undefined) return { how: cause };
      if (exit.code === null) return { how: 'crashed' };
      return { how: 'exited', code: exit.code, stdout: out(), stderr: complaints() };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

/**
 * @param over is called when more has come than is kept, which is the end of it
 * @returns what has come so far
 */
function collect(
  stream: NodeJS.ReadableStream | null,
  bytes: number,
  over: () => void,
): () => string {
  let kept = Buffer.alloc(0);
  stream?.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]);
    if (kept.length <= bytes) return;
    kept = kept.subarray(-bytes);
    over();
  });
  stream?.on('error', over);
  return () => kept.toString('utf8');
}

/** @returns undefined when it could not be started */
async function ended(child: ChildProcess): Promise<{ code: number | null } | undefined> {
  const { promise: exited, resolve } = Promise.withResolvers<{ code: number | null } | undefined>();
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  child.once('error', () => {
    if (child.pid === undefined) resolve(undefined);
  });
  child.once('exit', (code) => resolve({ code }));
  const exit = await exited;
  if (exit) await Promise.race([closed, sleep(DRAIN_MILLIS, undefined, { ref: false })]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return exit;
}
