/** Contexts as commands hand them out. */
import { contextNames } from '../../state/home.ts';
import { pathsFrom, STANDARD_CONTEXT, type Environment } from '../../state/paths.ts';
import type { Config } from '../../state/config.ts';
import { SETTINGS, type Origin } from '../../state/settings.ts';
import type { View } from '../../presenters/view.ts';

export interface ContextOutput {
  readonly name: string;
  readonly current: boolean;
  /** URL; what golem takes by itself where the context has none. */
  readonly discovery: string;
  readonly ownKey: boolean;
  readonly keyFile: string;
  /** Folder. */
  readonly vms: string;
}

export function contextsOf(config: Config, env: Environment, current: string): ContextOutput[] {
  return contextNames(config).map((name) => contextOutput(config, env, name, current));
}

export function contextOutput(
  config: Config,
  env: Environment,
  name: string,
  current: string,
): ContextOutput {
  const { discovery, ownKey = false } = config.contexts[name] ?? {};
  const { key, vms } = pathsFrom(env, { context: name, hasOwnKey: ownKey });
  const standard = SETTINGS.find((setting) => setting.name === 'discovery')?.standard ?? '';
  return {
    ...{ name, current: name === current, discovery: discovery ?? standard, ownKey },
    ...{ keyFile: key, vms },
  };
}

export function contextTable(contexts: readonly ContextOutput[]): View {
  return {
    table: {
      columns: [
        { title: 'CONTEXT', fixed: true },
        { title: 'IN USE', fixed: true },
        { title: 'DISCOVERY' },
        { title: 'KEY', fixed: true },
        { title: 'KEY FILE', wide: true },
        { title: 'VMS', wide: true },
      ],
      rows: contexts.map(({ name, current, discovery, ownKey, keyFile, vms }) => [
        ...[name, current ? 'yes' : '-', discovery, ownKey ? 'its own' : 'common', keyFile, vms],
      ]),
      empty: '',
    },
    ids: contexts.map(({ name }) => name),
    names: contexts.map(({ name }) => name),
  };
}

/** Who chose the context, in words. */
export const CHOSEN_BY: Readonly<Record<Origin, string>> = {
  flag: '--context',
  environment: 'GOLEM_CONTEXT',
  file: 'golem context use',
  default: `nobody: it is ${STANDARD_CONTEXT} then`,
};
