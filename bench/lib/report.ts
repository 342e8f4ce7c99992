/** What a benchmark says at its end: a table for people, one line of JSON for programs. */
import { cpus, totalmem } from 'node:os';

export interface Target {
  readonly name: string;
  readonly goal: string;
  readonly value: number;
  readonly met: boolean;
}

export interface Report {
  readonly bench: string;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly targets: readonly Target[];
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** @param share in [0, 1] */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.floor(share * sorted.length));
  return sorted[at] ?? Number.NaN;
}

export function atLeast(name: string, value: number, goal: number): Target {
  return { name, goal: `>= ${round(goal)}`, value: round(value), met: value >= goal };
}

export function atMost(name: string, value: number, goal: number): Target {
  return { name, goal: `<= ${round(goal)}`, value: round(value), met: value <= goal };
}

export const round = (value: number) => Math.round(value * 100) / 100;

/** Columns are as wide as they have to be; all but the first are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, at) =>
          at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function print({ bench, figures, targets }: Report, asJson: boolean): void {
  for (const { name, goal, value, met } of targets) {
    console.log(`${met ? 'met   ' : 'MISSED'} ${name}: ${value} (${goal})`);
  }
  if (!asJson) return;
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
  };
  console.log(JSON.stringify({ bench, machine, figures, targets }));
}
