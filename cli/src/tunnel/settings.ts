/** How sessions are carried, from the environment: for lines that need other bounds than most. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';

export interface RelaySettings {
  /** How long a session that lost its connection is kept, in milliseconds. */
  readonly graceMillis: number;
  /** The largest window, in bytes. */
  readonly windowBytes: number;
}

/** Variables that `golem vm proxy` is given by whoever starts it for ssh. */
export const RELAY_VARIABLES = ['GOLEM_RELAY_GRACE', 'GOLEM_RELAY_WINDOW'] as const;

/**
 * @param called what was typed, where it is not the variable
 * @throws {GolemError} `usage`
 */
export function readRelaySettings(
  env: Readonly<Record<string, string | undefined>>,
  called?: string,
): RelaySettings {
  const { graceSeconds, graceMaxSeconds, windowMinBytes, windowMaxBytes } = LIMITS.relay;
  const read = (name: (typeof RELAY_VARIABLES)[number], standard: number, [min, max]: number[]) => {
    const text = env[name] ?? String(standard);
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= (min ?? 0) && value <= (max ?? 0)) return value;
    throw new GolemError('usage', `${called ?? name} takes a whole number from ${min} to ${max}.`);
  };
  const kib = [windowMinBytes / 1024, windowMaxBytes / 1024];
  return {
    graceMillis: read('GOLEM_RELAY_GRACE', graceSeconds, [1, graceMaxSeconds]) * 1000,
    windowBytes: read('GOLEM_RELAY_WINDOW', windowMaxBytes / 1024, kib) * 1024,
  };
}
