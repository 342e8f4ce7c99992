/** Wall time of programs from their start to their end, one after the other in turns. */
import { spawnSync } from 'node:child_process';

export interface Case {
  readonly name: string;
  readonly command: readonly string[];
}

export interface TimingOptions {
  readonly runs: number;
  /** Runs before that are not counted: files are read and compiled the first time. */
  readonly warmUps: number;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Every round runs each case once, beginning with another one each time, so that what the machine
 * does meanwhile falls on all of them.
 *
 * @returns milliseconds by the name of the case
 * @throws when a program fails
 */
export function timeInTurns(
  cases: readonly Case[],
  { runs, warmUps, env }: TimingOptions,
): ReadonlyMap<string, readonly number[]> {
  const times = new Map(cases.map(({ name }) => [name, [] as number[]]));
  for (let round = -warmUps; round < runs; round += 1) {
    const first = (round + warmUps) % cases.length;
    for (const { name, command } of [...cases.slice(first), ...cases.slice(0, first)]) {
      const millis = timeOnce(command, env);
      if (round >= 0) times.get(name)?.push(millis);
    }
  }
  return times;
}

/** The output goes into a pipe, as it does in scripts. */
function timeOnce(command: readonly string[], env: TimingOptions['env']): number {
  const [program = '', ...args] = command;
  const started = performance.now();
  const { status, error, stderr } = spawnSync(program, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const millis = performance.now() - started;
  if (status === 0) return millis;
  throw new Error(`'${command.join(' ')}' ended with ${status}: ${String(stderr)}`, {
    cause: error,
  });
}
