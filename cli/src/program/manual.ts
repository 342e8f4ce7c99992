/** Everything that the commands say about themselves, as one value: for the manual and completion. */
import type { Command, Entry, Option } from '../commands/command.ts';
import { COMMON_OPTIONS, optionsOf } from './common.ts';
import type { Tree } from './tree.ts';

export interface Manual {
  readonly common: readonly Option[];
  /** By their words without `golem`: `vm`, `key`. */
  readonly groups: readonly GroupManual[];
  /** In the order of the help, those without a group last. */
  readonly commands: readonly CommandManual[];
}

export interface GroupManual {
  readonly name: string;
  readonly summary: string;
}

export interface CommandManual {
  /** The words that call it: `golem vm create`. */
  readonly path: string;
  /** None for those that come straight after `golem`. */
  readonly group: string | undefined;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly usage: string;
  readonly about: readonly string[];
  readonly examples: readonly string[];
  readonly options: readonly Option[];
  /** The common ones that mean here what they mean everywhere. */
  readonly commonOptions: readonly Option[];
  readonly passesOn: boolean;
}

/** Loads every command that there is. */
export async function manualOf({ groups, top }: Tree): Promise<Manual> {
  const inGroups = Object.entries(groups).flatMap(([group, { sections }]) =>
    sections.flatMap(({ commands }) =>
      Object.entries(commands).map(([name, entry]) => ({ group, name, entry })),
    ),
  );
  const alone = Object.entries(top.commands).map(([name, entry]) => ({
    group: undefined,
    name,
    entry,
  }));
  const commands = await Promise.all(
    [...inGroups, ...alone].map(async ({ group, name, entry }) =>
      commandManual(group, name, entry, await entry.load()),
    ),
  );
  const used = new Set(commands.map(({ group }) => group));
  return {
    common: COMMON_OPTIONS,
    groups: Object.entries(groups)
      .filter(([name]) => used.has(name))
      .map(([name, { summary }]) => ({ name, summary })),
    commands,
  };
}

function commandManual(
  group: string | undefined,
  name: string,
  { summary, aliases = [] }: Entry,
  { usage, about = [], examples, options, passesOn = false }: Command,
): CommandManual {
  const path = ['golem', group, name].filter((word) => word !== undefined).join(' ');
  const commonOptions = optionsOf(options).slice(options.length);
  return {
    ...{ path, group, name, aliases, summary, usage, about },
    ...{ examples, options, commonOptions, passesOn },
  };
}
