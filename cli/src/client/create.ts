/**
 * Places a VM: asks one candidate after the other, and never two at once. The next one is asked
 * only when the last one certainly did not, and will not, create it.
 */
import type { Accepted } from '@vm-on-golem/shared/api';
import { backoffMillis } from '@vm-on-golem/shared/backoff';
import { GolemError } from '@vm-on-golem/shared/errors';
import { neverArrived, SignedRefusal } from './http.ts';
import type { Candidate } from './providers.ts';

/** Signed words that mean: not here, try elsewhere. */
const NOT_HERE = new Set([
  'no_capacity',
  'price_too_high',
  'image_unknown',
  'draining',
  'unsupported',
]);
/** Candidates that are asked before we give up. */
const MAX_CANDIDATES = 10;
/** How often one candidate is asked again when it is unknown whether it got the request. */
const MAX_ASKS = 4;

export interface Placement {
  readonly provider: string;
  readonly accepted: Accepted;
}

export interface PlaceOptions {
  readonly candidates: AsyncIterable<Candidate>;
  /** Sends the creation to one candidate; the same bytes under the same key every time. */
  readonly ask: (candidate: Candidate) => Promise<Accepted>;
  /** Told why a candidate did not take it, before the next one is asked. */
  readonly onRefusal: (candidate: Candidate, error: GolemError) => Promise<void> | void;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/** @throws {GolemError} `no_match`, or what the candidate in question ended with */
export async function place(options: PlaceOptions): Promise<Placement> {
  let asked = 0;
  let last: GolemError | undefined;
  for await (const candidate of options.candidates) {
    if (asked >= MAX_CANDIDATES) break;
    asked += 1;
    try {
      return { provider: candidate.id, accepted: await persistently(candidate, options) };
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      const elsewhere =
        error instanceof SignedRefusal ? NOT_HERE.has(error.code) : neverArrived(error);
      if (!elsewhere) throw error;
      last = error;
      await options.onRefusal(candidate, error);
    }
  }
  if (last !== undefined && asked === 1) throw last;
  throw new GolemError(
    'no_match',
    asked === 0 ? 'No provider offers this.' : `None of ${asked} providers took it.`,
    { hint: "See what there is with 'golem vm providers', and ask for less or pay more." },
  );
}

async function persistently(
  candidate: Candidate,
  { ask, sleep, signal }: PlaceOptions,
): Promise<Accepted> {
  for (let asks = 1; ; asks += 1) {
    try {
      return await ask(candidate);
    } catch (error) {
      if (!(error instanceof GolemError) || !isUnknown(error) || asks >= MAX_ASKS) throw error;
      await sleep(
        backoffMillis(asks, Math.random, { firstMillis: 1_000, capMillis: 8_000 }),
        signal,
      );
    }
  }
}

/** Whether the candidate may have got the request: then it alone can say what became of it. */
function isUnknown(error: GolemError): boolean {
  return !(error instanceof SignedRefusal) && error.retryable && !neverArrived(error);
}
