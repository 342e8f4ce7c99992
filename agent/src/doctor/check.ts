/** What a doctor looks at, and what is found. */
import type { GolemError } from '@vm-on-golem/shared/errors';
import type { LoadedConfig } from '../config/config.ts';
import type { Environment } from '../config/setting.ts';
import type { Flags } from '../config/sources.ts';
import type { Status } from '../control/schemas.ts';

/**
 * - `ok`: as it should be
 * - `warning`: it works, and could be better
 * - `failure`: the provider cannot work as it is set up, or harms somebody
 * - `skipped`: it does not matter here, or cannot be seen from here
 */
export type Level = 'ok' | 'warning' | 'failure' | 'skipped';

export interface Finding {
  readonly level: Level;
  /** One sentence, with figures where there are any. */
  readonly what: string;
  /** What to do about it: a command where there is one. */
  readonly fix?: string;
  /** What it was found by, line by line. */
  readonly details?: readonly string[];
}

export interface Checkup {
  readonly flags: Flags;
  readonly env: Environment;
  /** Undefined when it cannot be read: that is a finding of its own. */
  readonly loaded: LoadedConfig | undefined;
  /** Where the agent would be found; undefined when the configuration does not let that be seen. */
  readonly dataDir: string | undefined;
  /** Of the agent that runs here, if one does. */
  readonly status: Status | undefined;
  /** Why the agent that is there does not answer; undefined when none is there. */
  readonly silence: GolemError | undefined;
  /** Nothing that takes longer than a few seconds. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

export interface Check {
  /** A word or two. */
  readonly name: string;
  readonly run: (checkup: Checkup) => Promise<Finding>;
}

/** For checks that mean nothing without a configuration. */
export type ConfiguredCheckup = Checkup & { readonly loaded: LoadedConfig };

export function configured(
  name: string,
  run: (checkup: ConfiguredCheckup) => Promise<Finding>,
): Check {
  return {
    name,
    run: async (checkup) => {
      const { loaded } = checkup;
      if (loaded) return run({ ...checkup, loaded });
      return { level: 'skipped', what: 'not before the configuration can be read' };
    },
  };
}

export const ok = (what: string): Finding => ({ level: 'ok', what });
export const skipped = (what: string): Finding => ({ level: 'skipped', what });
export const warning = (what: string, fix: string): Finding => ({ level: 'warning', what, fix });
export const failure = (what: string, fix: string): Finding => ({ level: 'failure', what, fix });
