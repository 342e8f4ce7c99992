/** "Did you mean". */
import { closest as nearest, distance } from 'fastest-levenshtein';

/** @returns the candidate that `word` is most likely a slip of, if any is near enough */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const prefixed = candidates.filter((candidate) => word.length >= 2 && candidate.startsWith(word));
  if (prefixed.length === 1) return prefixed[0];
  const candidate = nearest(word, [...candidates]);
  return distance(word, candidate) <= Math.max(1, Math.floor(candidate.length / 3))
    ? candidate
    : undefined;
}
