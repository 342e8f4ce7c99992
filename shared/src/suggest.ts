/** "Did you mean": what a person most likely meant to type. */
import { closest as nearest, distance } from 'fastest-levenshtein';

/** @returns the candidate that `word` is most likely a slip of, if any is near enough */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  if (word === '' || candidates.length === 0) return undefined;
  const prefixed = candidates.filter((candidate) => word.length >= 2 && candidate.startsWith(word));
  if (prefixed.length === 1) return prefixed[0];
  const typed = word.toLowerCase();
  const candidate = nearest(typed, [...candidates]);
  const edits = distance(typed, candidate);
  // Letters that changed places are the most usual slip, and count as two edits.
  const allowed = sorted(typed) === sorted(candidate) ? 2 : 1;
  return edits <= Math.max(allowed, Math.floor(candidate.length / 3)) ? candidate : undefined;
}

const sorted = (word: string) => Array.from(word).toSorted().join('');
