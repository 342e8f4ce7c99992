/** The settings as values, from wherever they were said. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Prices } from '@vm-on-golem/shared/money';
import type { Resources } from '@vm-on-golem/shared/vm';
import type * as z from 'zod';
import type { TrafficLimits } from '../traffic/keeper.ts';
import type { LeaseTerms } from '../vms/leases/terms.ts';
import type { Policy } from '../vms/policy.ts';
import { variableOf, type Environment, type Setting } from './setting.ts';
import { settingOf, SETTING_NAMES, type SETTINGS, type SettingName } from './settings.ts';
import {
  originText,
  readSources,
  winnerOf,
  type Candidate,
  type Flags,
  type Sources,
} from './sources.ts';

/** How often a setting may be repeated: more keys than anybody lists by hand. */
const MAX_VALUES = 1000;

type ValueOf<S extends Setting> = S extends { readonly multiple: true }
  ? readonly z.output<S['schema']>[]
  : S extends { readonly default: unknown } | { readonly required: true }
    ? z.output<S['schema']>
    : z.output<S['schema']> | undefined;

/** Every setting by its name; those without a default are undefined when nobody set them. */
export type Config = { readonly [Name in SettingName]: ValueOf<(typeof SETTINGS)[Name]> };

export interface LoadedConfig {
  readonly config: Config;
  /** Where it comes from. */
  readonly sources: Sources;
}

/** @throws {GolemError} `usage` naming the setting that is wrong and where it came from. */
export function loadConfig(flags: Flags, env: Environment): LoadedConfig {
  const sources = readSources(flags, env);
  return { config: configFrom(sources), sources };
}

/** @throws {GolemError} `usage` */
export function readConfig(flags: Flags, env: Environment): Config {
  return loadConfig(flags, env).config;
}

/** What new VMs cost, in nano-USD an hour. */
export function pricesOf(config: Config): Prices {
  return {
    cpuHour: config['price-cpu'],
    memoryGiBHour: config['price-memory'],
    storageGiBHour: config['price-storage'],
  };
}

/** The smallest VM that is rented. */
export function minimumOf(config: Config): Resources {
  return {
    cpus: config['min-cpus'],
    memoryMiB: config['min-memory'],
    storageGiB: config['min-storage'],
  };
}

/** What guests may use of the uplink. */
export function trafficLimitsOf(config: Config): TrafficLimits {
  const month = config['month-traffic'];
  return {
    guestBits: config['guest-bandwidth'] * 1_000_000,
    trickleBits: config['trickle-bandwidth'] * 1000,
    monthBytes: month === undefined ? undefined : month * 1024 ** 3,
  };
}

/** For how long VMs are rented, and what is left of them kept. */
export function termsOf(config: Config): LeaseTerms {
  return {
    leaseMillis: config.lease * 1000,
    leaseMaxMillis: config['lease-max'] * 1000,
    leaseGraceMillis: config['lease-grace'] * 1000,
    orphanGraceMillis: config['orphan-grace'] * 1000,
  };
}

/** Whom it serves, and how much of it one may have. */
export function policyOf(config: Config): Policy {
  return {
    access: config['access'],
    allow: new Set(config['allow']),
    deny: new Set(config['deny']),
    perRequestor: {
      vms: config['max-vms-per-requestor'] ?? Infinity,
      cpus: config['max-cpus-per-requestor'] ?? Infinity,
      memoryMiB: config['max-memory-per-requestor'] ?? Infinity,
    },
    strangers: {
      vms: config['max-vms-of-strangers'] ?? Infinity,
      cpus: config['max-cpus-of-strangers'] ?? Infinity,
      memoryMiB: config['max-memory-of-strangers'] ?? Infinity,
    },
  };
}

/** @throws {GolemError} `usage` */
function configFrom({ candidates }: Pick<Sources, 'candidates'>): Config {
  const config = Object.fromEntries(
    SETTING_NAMES.map((name) => [name, parseSetting(name, candidates[name][0])]),
  ) as unknown as Config;
  checkTogether({ candidates });
  return config;
}

/**
 * What is right by itself may still not go together.
 * @throws {GolemError} `usage`
 */
export function checkTogether({ candidates }: Pick<Sources, 'candidates'>): void {
  const [lease, most] = (['lease', 'lease-max'] as const).map((name) => {
    const [candidate] = candidates[name];
    const said = candidate ? `${String(candidate.text)} (${originText(candidate.origin)})` : '';
    return { seconds: parseSetting(name, candidate) as number, said };
  });
  if (lease && most && lease.seconds > most.seconds) {
    throw new GolemError(
      'usage',
      `A lease of ${lease.said} is above the lease-max of ${most.said}.`,
      {
        hint: 'Raise lease-max, or lower lease.',
      },
    );
  }
}

/**
 * For commands that need little: the same as in `readConfig`, without what they do not ask for.
 * @param warn told what is wrong with the file elsewhere; without it that is thrown
 * @throws {GolemError} `usage`
 */
export function readSetting<Name extends SettingName>(
  name: Name,
  flags: Flags,
  env: Environment,
  warn?: (problem: GolemError) => void,
): Config[Name] {
  return parseSetting(name, winnerOf(name, { flags, env }, warn)) as Config[Name];
}

/** @throws {GolemError} `usage` naming the origin of a value that is wrong, or of none that is needed */
function parseSetting(name: SettingName, candidate: Candidate | undefined): unknown {
  const { multiple, required } = settingOf(name);
  if (candidate === undefined) {
    if (!required) return undefined;
    throw new GolemError('usage', `There is no ${name}: it has to be set.`, {
      hint: `Run golem-provider init, give --${name}, or set ${variableOf(name)}.`,
    });
  }
  const { text, origin } = candidate;
  const values = typeof text === 'string' ? [text] : text;
  const where = origin.kind === 'file' ? `${originText(origin)}: ${name}` : originText(origin);
  if (values.length > MAX_VALUES) {
    throw new GolemError('usage', `${where} is given more than ${MAX_VALUES} times.`);
  }
  const parsed = values.map((value) => checkText(name, value, where));
  return multiple ? parsed : parsed[0];
}

/**
 * @param where what the message begins with
 * @returns the value that one `text` of a setting means
 * @throws {GolemError} `usage`
 */
export function checkText(name: SettingName, text: string, where: string): unknown {
  const result = settingOf(name).schema.safeParse(text);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new GolemError('usage', `${where} ${issue?.message ?? 'is not valid'}, not '${text}'.`);
}
