/** The one table of settings, and where the value of each comes from. Pure, and without schemas. */
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Config } from './config.ts';
import { STANDARD_CONTEXT, type Environment } from './paths.ts';

export interface Setting {
  readonly name: string;
  readonly variable: string;
  readonly standard: string;
  readonly summary: string;
  /** Each context has its own. */
  readonly isPerContext?: boolean;
}

export const SETTINGS: readonly Setting[] = [
  {
    name: 'discovery',
    variable: 'GOLEM_DISCOVERY',
    standard: 'http://127.0.0.1:8787',
    summary: 'URL of the discovery service, for the context in use',
    isPerContext: true,
  },
  {
    name: 'relay-grace',
    variable: 'GOLEM_RELAY_GRACE',
    standard: String(LIMITS.relay.graceSeconds),
    summary: 'seconds that a session outlives its connection',
  },
  {
    name: 'relay-window',
    variable: 'GOLEM_RELAY_WINDOW',
    standard: String(LIMITS.relay.windowMaxBytes / 1024),
    summary: 'KiB that a session may have on the way',
  },
];

/** Who said it: a flag, a variable of the environment, the file, or nobody. */
export type Origin = 'flag' | 'environment' | 'file' | 'default';

export interface Said {
  readonly value: string;
  readonly origin: Origin;
}

/** `--context` before `GOLEM_CONTEXT` before `golem context use`. */
export function chosenContext(config: Config, env: Environment, flag: string | undefined): Said {
  if (flag !== undefined) return { value: flag, origin: 'flag' };
  const named = env['GOLEM_CONTEXT'];
  if (named !== undefined && named !== '') return { value: named, origin: 'environment' };
  if (config.context !== undefined) return { value: config.context, origin: 'file' };
  return { value: STANDARD_CONTEXT, origin: 'default' };
}

/** A context that was named by a flag is meant, whatever is in the environment. */
export function valueOf(setting: Setting, config: Config, env: Environment, context: Said): Said {
  const { name, variable, standard, isPerContext } = setting;
  const stored = isPerContext
    ? name === 'discovery'
      ? config.contexts[context.value]?.discovery
      : undefined
    : config.settings[name];
  const said = env[variable];
  const isOverruled = isPerContext && context.origin === 'flag' && stored !== undefined;
  if (said !== undefined && said !== '' && !isOverruled) {
    return { value: said, origin: 'environment' };
  }
  return stored === undefined
    ? { value: standard, origin: 'default' }
    : { value: stored, origin: 'file' };
}
