/**
 * Places a VM: asks one candidate after the other, and never two at once. The next one is asked
 * only when the last one certainly did not, and will not, create it.
 */
import type { Accepted } from '@vm-on-golem/shared/api';
import { GolemError, type ErrorCode } from '@vm-on-golem/shared/errors';
import { neverArrived, SignedRefusal } from '../wire/outcome.ts';
import type { Candidate } from './providers.ts';

/**
 * Signed words that mean: not here, try elsewhere. Those that say nothing of other tries are only
 * heard here when there were none that may have arrived.
 */
const NOT_HERE: ReadonlySet<ErrorCode> = new Set([
  'no_capacity',
  'price_too_high',
  'image_unknown',
  'draining',
  'unsupported',
  // The cheapest could otherwise keep everybody from all others.
  'forbidden',
  'rate_limited',
  'provider_busy',
  // Discovery agreed with our clock: it is the provider's that is wrong.
  'clock_skew',
  'stale_request',
]);
/** Candidates that are asked before we give up. */
const MAX_CANDIDATES = 10;

export interface Placement {
  readonly provider: string;
  readonly accepted: Accepted;
}

export interface PlaceOptions {
  readonly candidates: AsyncIterable<Candidate>;
  /** Asks one candidate, until it is known what became of it. */
  readonly ask: (candidate: Candidate) => Promise<Accepted>;
  /** Told why a candidate did not take it, before the next one is asked. */
  readonly onRefusal: (candidate: Candidate, error: GolemError) => Promise<void>;
}

/** @throws {GolemError} `no_match`, or what the candidate in question ended with */
export async function place({ candidates, ask, onRefusal }: PlaceOptions): Promise<Placement> {
  let asked = 0;
  let last: GolemError | undefined;
  for await (const candidate of candidates) {
    if (asked >= MAX_CANDIDATES) break;
    asked += 1;
    try {
      return { provider: candidate.id, accepted: await ask(candidate) };
    } catch (error) {
      if (!(error instanceof GolemError) || !isElsewhere(error)) throw error;
      last = error;
      await onRefusal(candidate, error);
    }
  }
  if (last !== undefined && asked === 1) throw last;
  throw new GolemError(
    'no_match',
    asked === 0 ? 'No provider offers this.' : `None of ${asked} providers took it.`,
    { hint: "See who there is with 'golem vm providers --all', and ask for less or pay more." },
  );
}

/** Whether another candidate may be asked after this one ended so. */
function isElsewhere(error: GolemError): boolean {
  return error instanceof SignedRefusal ? NOT_HERE.has(error.code) : neverArrived(error);
}
