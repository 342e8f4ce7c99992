/** The command lines of `multipass`: which options there are, since when, and what the client says. */
import type { ParseArgsConfig } from 'node:util';
import { printJson } from './json.ts';
import type { Version } from './wire.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

export interface Command {
  readonly options: Options;
  /** Options that came later than the command. */
  readonly later?: Readonly<Record<string, Version>>;
  /** Names that it takes: at least, at most. */
  readonly names: readonly [number, number];
  /** What the spinner says meanwhile; it prints to a terminal and to a pipe alike. */
  readonly spinner?: string;
  /** What `--timeout` says when it is over. */
  readonly impatience?: string;
  print(data: unknown, names: readonly string[]): string;
}

const FORMAT = { format: { type: 'string' } } as const satisfies Options;
const TIMEOUT = { timeout: { type: 'string' } } as const satisfies Options;
const ALL = { all: { type: 'boolean' } } as const satisfies Options;
const MANY = [0, 1000] as const;
const nothing = () => '';

export const COMMANDS: Readonly<Record<string, Command>> = {
  launch: {
    options: {
      name: { type: 'string', short: 'n' },
      cpus: { type: 'string', short: 'c' },
      memory: { type: 'string', short: 'm' },
      disk: { type: 'string', short: 'd' },
      'cloud-init': { type: 'string' },
      network: { type: 'string' },
      bridged: { type: 'boolean' },
      mount: { type: 'string' },
      ...TIMEOUT,
    },
    names: [0, 1],
    spinner: 'Creating',
    impatience: 'Timed out waiting for instance launch.',
    print: (data) => `Launched: ${String(data)}\n`,
  },
  info: {
    options: {
      ...{ ...FORMAT, ...ALL },
      snapshots: { type: 'boolean' },
      'no-runtime-information': { type: 'boolean' },
    },
    names: MANY,
    print: printJson,
  },
  list: {
    options: { ...FORMAT, snapshots: { type: 'boolean' }, 'no-ipv4': { type: 'boolean' } },
    names: [0, 0],
    print: printJson,
  },
  start: {
    options: { ...ALL, ...TIMEOUT },
    names: MANY,
    spinner: 'Starting',
    impatience: 'Timed out waiting for instance to start.',
    print: nothing,
  },
  stop: {
    options: {
      ...ALL,
      time: { type: 'string', short: 't' },
      cancel: { type: 'boolean', short: 'c' },
      force: { type: 'boolean' },
    },
    later: { force: '1.14.1' },
    names: MANY,
    spinner: 'Stopping',
    print: nothing,
  },
  suspend: { options: ALL, names: MANY, spinner: 'Suspending', print: nothing },
  recover: { options: ALL, names: MANY, print: nothing },
  delete: {
    options: { ...ALL, purge: { type: 'boolean', short: 'p' } },
    names: MANY,
    spinner: 'Deleting',
    print: nothing,
  },
  purge: { options: {}, names: [0, 0], print: nothing },
  snapshot: {
    options: {
      name: { type: 'string', short: 'n' },
      comment: { type: 'string', short: 'm' },
    },
    names: [1, 1],
    spinner: 'Taking snapshot',
    print: (data) => `Snapshot taken: ${String(data)}\n`,
  },
  restore: {
    options: { destructive: { type: 'boolean', short: 'd' } },
    names: [1, 1],
    spinner: 'Restoring snapshot',
    print: (_data, [name]) => `Snapshot restored: ${name}\n`,
  },
  get: { options: {}, names: [1, 1], print: (data) => `${String(data)}\n` },
  set: { options: {}, names: [1, 1], print: nothing },
  version: { options: FORMAT, names: [0, 0], print: printJson },
};
