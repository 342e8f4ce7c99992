/** What a doctor looks at, and what is found. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { LocalContext } from '../command.ts';

/**
 * - `ok`: as it should be
 * - `warning`: golem works, and could be better
 * - `failure`: golem cannot do what it is for
 * - `skipped`: it does not matter here, or cannot be seen from here
 */
type Level = 'ok' | 'warning' | 'failure' | 'skipped';

export interface Finding {
  readonly level: Level;
  readonly what: string;
  /** What to do about it: a command where there is one. */
  readonly fix?: string;
}

export interface CheckOutput {
  readonly name: string;
  readonly level: Level;
  readonly what: string;
  readonly fix: string | null;
}

export interface Check {
  /** A word or two. */
  readonly name: string;
  readonly run: (context: LocalContext) => Promise<Finding>;
}

export const ok = (what: string): Finding => ({ level: 'ok', what });
export const skipped = (what: string): Finding => ({ level: 'skipped', what });
export const warning = (what: string, fix: string): Finding => ({ level: 'warning', what, fix });
export const failure = (what: string, fix: string): Finding => ({ level: 'failure', what, fix });

/** What an error is to a doctor: that what threw it does not work. */
export function failureOf(error: unknown, fix: string): Finding {
  if (!(error instanceof GolemError)) throw error;
  return failure(error.message, error.hint ?? fix);
}
