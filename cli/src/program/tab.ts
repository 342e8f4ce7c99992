/** `golem __complete WORDS...`, which the scripts of the shells ask at every Tab. */
import { complete, completionLines } from './complete.ts';
import { namesFrom } from './names.ts';
import type { Words } from './words.ts';
import words from './words.json' with { type: 'json' };

export function answerTab(
  typed: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string {
  const known: Words = words;
  const lines = completionLines(complete(known, typed, namesFrom(env)));
  return lines.map((line) => `${line}\n`).join('');
}
