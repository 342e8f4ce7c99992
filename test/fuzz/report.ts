/** What was done and how it was answered: a table for people, one line of JSON for programs. */
import type { Answer, Endpoint, Step } from './attack.ts';

export interface Row {
  readonly endpoint: Endpoint;
  readonly kind: string;
  readonly count: number;
  /** How often each answer came; an attack may get several. */
  readonly answers: Readonly<Record<Answer, number>>;
}

export interface FuzzReport {
  readonly relayMode: string;
  readonly seed: number;
  readonly seconds: number;
  readonly steps: number;
  readonly rows: readonly Row[];
  readonly witnesses: Readonly<
    Record<string, { readonly count: number; readonly slowestMillis: number }>
  >;
  /** MiB by process: at the beginning, at most, and what it may be. */
  readonly memory: Readonly<
    Record<string, { readonly first: number; readonly most: number; readonly bound: number }>
  >;
}

export class Tally {
  readonly #rows = new Map<
    string,
    { endpoint: Endpoint; kind: string; count: number; answers: Record<Answer, number> }
  >();

  add({ endpoint, kind }: Step, answers: readonly Answer[]): void {
    const key = `${endpoint}/${kind}`;
    const row = this.#rows.get(key) ?? { endpoint, kind, count: 0, answers: {} };
    this.#rows.set(key, row);
    row.count += 1;
    for (const answer of answers) row.answers[answer] = (row.answers[answer] ?? 0) + 1;
  }

  get rows(): readonly Row[] {
    return [...this.#rows.values()].sort(
      (a, b) => a.endpoint.localeCompare(b.endpoint) || a.kind.localeCompare(b.kind),
    );
  }
}

export function tableOf({ rows }: FuzzReport): string {
  const width = Math.max(...rows.map(({ kind }) => kind.length));
  return rows
    .map(({ endpoint, kind, count, answers }) => {
      const said = Object.entries(answers)
        .sort(([, a], [, b]) => b - a)
        .map(([answer, times]) => `${answer} -> ${times}`);
      return `${endpoint.padEnd(7)}  ${kind.padEnd(width)}  ${String(count).padStart(5)}  ${said.join(', ')}`;
    })
    .join('\n');
}

export function totalsOf({
  relayMode,
  seed,
  seconds,
  steps,
  witnesses,
  memory,
}: FuzzReport): string {
  const served = Object.entries(witnesses).map(
    ([name, { count, slowestMillis }]) => `${name} ${count} (slowest ${slowestMillis} ms)`,
  );
  const sizes = Object.entries(memory).map(
    ([name, { first, most, bound }]) => `${name} ${first} to ${most} MiB of ${bound}`,
  );
  return (
    `fuzz: ${steps} attacks in ${seconds} s, relay ${relayMode}, seed ${seed}; nobody else noticed: ` +
    `${served.join(', ')}; memory: ${sizes.join(', ')}`
  );
}
