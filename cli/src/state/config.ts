/**
 * The file of settings and contexts. Read without schemas: what is answered from this machine alone
 * is not kept waiting for them.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { readIfThereSync, replaceFileSync } from './files.ts';
import { withLock } from './lock.ts';

const CONFIG_VERSION = 1;

export interface ContextConfig {
  /** URL of the discovery service. */
  readonly discovery?: string;
  /** It has a key that no other context has, so that nobody sees that both are one person. */
  readonly ownKey?: boolean;
}

export interface Config {
  /** Used where neither `--context` nor `GOLEM_CONTEXT` says another. */
  readonly context?: string;
  /** By name; the standard one need not be here. */
  readonly contexts: Readonly<Record<string, ContextConfig>>;
  /** Settings that hold in every context, as they were typed. */
  readonly settings: Readonly<Record<string, string>>;
}

export const NO_CONFIG: Config = { contexts: {}, settings: {} };

/** @throws {GolemError} `internal` for what is damaged, `incompatible` for what a newer golem wrote */
export function readConfig(file: string): Config {
  const text = readIfThereSync(file);
  if (text === undefined) return NO_CONFIG;
  const json = jsonOf(text);
  if (isRecord(json) && typeof json['version'] === 'number' && json['version'] > CONFIG_VERSION) {
    throw new GolemError('incompatible', `${file} was written by a newer golem.`, {
      hint: 'Update this one, or say GOLEM_HOME=... to keep its files elsewhere.',
    });
  }
  const config = configOf(json);
  if (config) return config;
  throw new GolemError('internal', `${file} is damaged.`, {
    hint: `Correct it, or remove it: it has settings only, and no keys.`,
  });
}

/** Changes it while nobody else does. */
export async function changeConfig(file: string, change: (now: Config) => Config): Promise<void> {
  await withLock(`${file}.lock`, () => {
    const next = { version: CONFIG_VERSION, ...change(readConfig(file)) };
    replaceFileSync(file, `${JSON.stringify(next, null, 2)}\n`);
  });
}

function configOf(json: unknown): Config | undefined {
  if (!isRecord(json)) return undefined;
  const { context, contexts = {}, settings = {} } = json;
  if (context !== undefined && typeof context !== 'string') return undefined;
  if (!isRecord(contexts) || !Object.values(contexts).every(isContext)) return undefined;
  if (!isRecord(settings) || !Object.values(settings).every((text) => typeof text === 'string')) {
    return undefined;
  }
  return {
    ...(context === undefined ? {} : { context }),
    contexts: contexts as Config['contexts'],
    settings: settings as Config['settings'],
  };
}

function isContext(value: unknown): value is ContextConfig {
  return (
    isRecord(value) &&
    ['string', 'undefined'].includes(typeof value['discovery']) &&
    ['boolean', 'undefined'].includes(typeof value['ownKey'])
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No JSON text says `undefined`: the reader above refuses it.
    return undefined;
  }
}
