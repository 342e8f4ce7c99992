/** What a setting is, and how it is called where it can be set. */
import type * as z from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Headings of the help, of the manual and of the file that `init` writes, in this order. */
export const GROUPS = {
  provider: 'This provider',
  guests: 'Guests',
  network: 'What guests reach',
  shares: 'What is shared',
  prices: 'Prices',
  leases: 'Leases',
  access: 'Who may rent',
  sessions: 'SSH sessions',
  log: 'Log and metrics',
} as const;

export interface Setting {
  readonly group: keyof typeof GROUPS;
  /** Reads the text of one value. */
  readonly schema: z.ZodType<unknown, string>;
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  /** One line, without a full stop and without the default. */
  readonly help: string;
  /** In the words that one would type. Without one the value may be undefined. */
  readonly default?: string | ((env: Environment) => string);
  /** How the help says what happens without a value, where `default` does not say it. */
  readonly otherwise?: string;
  /** Of a bare number. */
  readonly unit?: string;
  /** Nothing works without it. */
  readonly required?: true;
  /** May be given several times; in a variable separated by commas, in the file a list. */
  readonly multiple?: true;
  /** A path: relative to the working folder, or to the file that it is written in. */
  readonly path?: true;
  /** A running agent takes a new value over; of others it says that it has to be started again. */
  readonly live?: true;
}

/** `price-cpu` is `GOLEM_PROVIDER_PRICE_CPU`. */
export function variableOf(name: string): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll('-', '_')}`;
}
export const VARIABLE_PREFIX = 'GOLEM_PROVIDER_';

/** One line for the help and the manual: what it is, and what it is without being set. */
export function describeSetting(setting: Setting): string {
  const { help, otherwise, default: value, unit, multiple } = setting;
  const isSaid = typeof value === 'string' && value !== 'false';
  const without = otherwise ?? (isSaid ? withUnit(value, unit) : undefined);
  return `${help}${multiple ? '; may be repeated' : ''}${without ? ` (${without})` : ''}`;
}

/** A bare number gets the unit that it has. */
function withUnit(value: string, unit: string | undefined): string {
  if (unit === undefined || !/^[\d.]+$/.test(value)) return value;
  return `${value} ${value === '1' ? unit.replace(/s$/, '') : unit}`;
}
