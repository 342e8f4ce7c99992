/** Child processes of a test network: started with a log file, waited for, and ended for certain. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface ProcessOptions {
  readonly name: string;
  /** Program and arguments; a prefix such as `ip netns exec X` goes in front. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where its stderr goes. */
  readonly log: string;
  /** How long it may take to say that it is ready, in milliseconds. */
  readonly readyMillis: number;
}

export interface RunningProcess<Ready> {
  readonly pid: number;
  /** The first line that it printed on stdout, which is JSON. */
  readonly ready: Ready;
  /** Sends `signal` and resolves when the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Resolves when the process has printed its first line. A failure carries the end of its log. */
export async function startProcess<Ready>(options: ProcessOptions): Promise<RunningProcess<Ready>> {
  const [program, ...args] = options.command;
  if (program === undefined) throw new TypeError('a command has at least a program');
  const log = openSync(options.log, 'a');
  const child = spawn(program, args, {
    env: options.env,
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  const exited = once(child, 'exit');
  try {
    const ready = JSON.parse(await firstLine(child, exited, options)) as Ready;
    return {
      pid: child.pid ?? NaN,
      ready,
      end: async (signal) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill(signal);
        await exited;
      },
    };
  } catch (cause) {
    child.kill('SIGKILL');
    const tail = readFileSync(options.log, 'utf8').slice(-2000);
    throw new Error(`${options.name} did not start: ${String(cause)}\n${tail}`, { cause });
  }
}

async function firstLine(
  child: ChildProcess,
  exited: Promise<unknown[]>,
  { readyMillis }: ProcessOptions,
): Promise<string> {
  const { stdout } = child;
  if (!stdout) throw new Error('no stdout');
  const lines = createInterface({ input: stdout });
  const timeout = AbortSignal.timeout(readyMillis);
  const line = await Promise.race([
    once(lines, 'line', { signal: timeout }).then(([text]) => String(text)),
    exited.then(([code, signal]) => {
      throw new Error(`it ended with ${String(signal ?? code)}`);
    }),
    once(child, 'error', { signal: timeout }).then(([error]) => {
      throw error;
    }),
  ]);
  // Whatever follows is read and dropped, so that a full pipe never stops the process.
  lines.on('line', () => {});
  return line;
}
