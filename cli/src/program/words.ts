/**
 * What completion has to know of the commands. It is kept in a file of its own, `words.json`, which
 * `npm run docs` writes: who presses Tab is not kept waiting until every command is loaded.
 */
import type { Option } from '../commands/command.ts';
import type { Manual } from './manual.ts';

export interface Words {
  readonly common: readonly OptionWords[];
  readonly groups: readonly { readonly name: string; readonly summary: string }[];
  readonly commands: readonly CommandWords[];
}

export interface OptionWords {
  readonly name: string;
  readonly short?: string;
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly summary: string;
}

export interface CommandWords {
  readonly group?: string;
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly usage: string;
  readonly options: readonly OptionWords[];
  /** What comes after the first argument is somebody else's. */
  readonly passesOn?: boolean;
}

export function wordsOf({ common, groups, commands }: Manual): Words {
  return {
    common: common.map(optionWords),
    groups: groups.map(({ name, summary }) => ({ name, summary })),
    commands: commands.map(({ group, name, aliases, summary, usage, options, passesOn }) => ({
      ...(group === undefined ? {} : { group }),
      name,
      ...(aliases.length === 0 ? {} : { aliases }),
      summary,
      usage,
      options: options.map(optionWords),
      ...(passesOn ? { passesOn } : {}),
    })),
  };
}

function optionWords({ name, short, value, choices, summary }: Option): OptionWords {
  return {
    name,
    ...(short === undefined ? {} : { short }),
    ...(value === undefined ? {} : { value }),
    ...(choices === undefined ? {} : { choices }),
    summary,
  };
}
