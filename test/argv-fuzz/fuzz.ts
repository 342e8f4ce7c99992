/** Types command lines into the whole program, and knows what none of them may do. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import words from '../../cli/src/program/words.json' with { type: 'json' };
import { printable } from '../../cli/src/presenters/printable.ts';
import { EXIT } from '../../shared/src/errors.ts';
import { commandLine } from './words.ts';

export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number;
  /** Everything happens in there. */
  readonly folder: string;
}

export interface FuzzReport {
  readonly runs: number;
  readonly seed: number;
  /** How many command lines ended with each exit code. */
  readonly exits: Readonly<Record<string, number>>;
}

interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nobody listens there, and nothing is waited for: fetch refuses it. */
const NOBODY = 'http://127.0.0.1:9';
const PATIENCE_MILLIS = 20_000;
const STATUSES: ReadonlySet<number> = new Set(Object.values(EXIT));

/** @throws what fast-check reports: the smallest command line that does what none may do */
export async function fuzzArgv({ runs, seed, folder }: FuzzOptions): Promise<FuzzReport> {
  await using host = new Host(folder);
  const exits = new Map<number, number>();
  let done = 0;
  const property = fc.asyncProperty(commandLine(words), async (argv) => {
    const run = await host.run(argv);
    done += 1;
    exits.set(run.status, (exits.get(run.status) ?? 0) + 1);
    judge(argv, run);
  });
  await fc.assert(property, { numRuns: runs, seed });
  const name = fc.asyncProperty(fc.string(), async (text) => {
    await judgeName(host, text);
    done += 1;
  });
  await fc.assert(name, { numRuns: Math.ceil(runs / 10), seed });
  const sorted = [...exits].sort(([one], [other]) => one - other);
  return { runs: done, seed, exits: Object.fromEntries(sorted) };
}

function judge(argv: readonly string[], { status, stdout, stderr }: Run): void {
  const wrong = (what: string) =>
    new Error(`golem ${JSON.stringify(argv)} ${what}\nstatus ${status}\n${stdout}\n${stderr}`);
  if (!STATUSES.has(status)) throw wrong('ends with an exit code that there is not');
  if (/this is a bug|escaped:|"code":"internal"|^\s+at .*:\d+:\d+\)?$/im.test(stderr)) {
    throw wrong('meets a bug');
  }
  const isError = /^(?:golem: |\{"error":)/m.test(stderr) && status !== EXIT.ok;
  if (isError && stdout !== '') throw wrong('prints data and fails');
  if (status === EXIT.usage && stderr === '') throw wrong('is refused without a word');
  // oxlint-disable-next-line no-control-regex -- what is looked for
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(stdout + stderr)) {
    throw wrong('moves the cursor where there is no terminal');
  }
}

/** A name is what was typed, to the letter, whatever it looks like. */
async function judgeName(host: Host, text: string): Promise<void> {
  const { status, stderr } = await host.run(['vm', 'info', '--', text]);
  if (status !== EXIT.notFound || !stderr.includes(`'${printable(text)}'`)) {
    throw new Error(`golem vm info -- ${JSON.stringify(text)} says\n${stderr}`);
  }
}

/** One process for all runs, as loading the program takes the most time. */
class Host implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(folder: string) {
    this.#child = fork(join(import.meta.dirname, 'host.ts'), {
      cwd: folder,
      // No terminal, wherever this is run.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: {
        ...{ PATH: '', HOME: folder, GOLEM_HOME: join(folder, 'golem') },
        GOLEM_DISCOVERY: NOBODY,
      },
    });
  }

  async run(argv: readonly string[]): Promise<Run> {
    const over = new AbortController();
    const { signal } = over;
    const says = (what: string) => () => new Error(`golem ${JSON.stringify(argv)} ${what}`);
    const fails = async (event: Promise<unknown>, error: () => Error): Promise<never> => {
      await event;
      throw error();
    };
    const answer = once(this.#child, 'message', { signal }) as Promise<[Run]>;
    const outcomes = [
      answer,
      fails(once(this.#child, 'exit', { signal }), says('ends the process')),
      fails(sleep(PATIENCE_MILLIS, undefined, { signal }), says('does not end')),
    ] as const;
    this.#child.send(argv);
    try {
      return (await Promise.race(outcomes))[0];
    } finally {
      over.abort();
      await Promise.allSettled(outcomes);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
