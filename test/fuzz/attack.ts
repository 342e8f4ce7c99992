/** What an attack is, what may come of it, and what must not. */
import * as fc from 'fast-check';
import type { Arena } from './arena.ts';

export const ENDPOINTS = ['control', 'relay'] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/** How one hostile act was answered: `401 bad_signature`, `close 4002`, `open`. */
export type Answer = string;

/** Something happened that must not, whatever anybody sends. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** One attack with all that was drawn for it: the same numbers make the same attack. */
export interface Step {
  readonly endpoint: Endpoint;
  readonly kind: string;
  readonly params: unknown;
  /** @throws {Violation} */
  readonly run: (arena: Arena) => Promise<readonly Answer[]>;
}

export interface Attack {
  readonly endpoint: Endpoint;
  readonly weight: number;
  readonly steps: fc.Arbitrary<Step>;
}

/**
 * @param params plain data: it is shown, so that somebody can follow what was done
 * @param weight how often it is drawn, beside 10 for most
 */
export function attack<Params>(
  endpoint: Endpoint,
  kind: string,
  params: fc.Arbitrary<Params>,
  run: (arena: Arena, params: Params) => Promise<readonly Answer[]>,
  weight = 10,
): Attack {
  const steps = params.map((drawn) => ({
    ...{ endpoint, kind, params: drawn },
    run: (arena: Arena) => run(arena, drawn),
  }));
  return { endpoint, weight, steps };
}

/** Steps are drawn so many at a time: values are small at first and grow within a batch. */
const BATCH = 64;

/** The steps of a seed, numbered from 0, without an end. */
export function* stepsOf(attacks: readonly Attack[], seed: number): Generator<Step> {
  const any = fc.oneof(...attacks.map(({ weight, steps }) => ({ weight, arbitrary: steps })));
  for (let batch = 0; ; batch += 1) {
    yield* fc.sample(any, { seed: seed + batch, numRuns: BATCH });
  }
}

/** Bytes as hexadecimal, cut short: for people. */
export function describeStep({ endpoint, kind, params }: Step): string {
  const text = JSON.stringify(params, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
  return `${endpoint} / ${kind} ${text.length > 500 ? `${text.slice(0, 500)}…` : text}`;
}
