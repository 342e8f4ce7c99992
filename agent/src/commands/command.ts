/** What a command is: data about itself, a `run` that neither prints nor exits, and a view. */
import type { Environment } from '../config/setting.ts';
import type { SettingName } from '../config/settings.ts';
import type { Flags } from '../config/sources.ts';

/** The parts of `process` that commands use. */
export interface Surroundings {
  readonly env: Environment;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): never;
}

/** An option that is no setting: it belongs to one command. */
export interface Option {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  readonly help: string;
}

export interface Input {
  readonly args: readonly string[];
  /** Options of this command, by name; `true` for a switch. */
  readonly options: Readonly<Record<string, string | true | undefined>>;
  /** The settings that were given as flags. */
  readonly flags: Flags;
  readonly asJson: boolean;
}

export interface Command<Data = unknown> {
  /** Arguments as in the help: `VM`, `[NAME]`. */
  readonly usage: string;
  readonly args: { readonly min: number; readonly max: number };
  readonly examples: readonly string[];
  /** Settings that may be given as flags, besides `--config`. */
  readonly settings: readonly SettingName[];
  readonly options: readonly Option[];
  run(input: Input, around: Surroundings): Promise<Data>;
  /** Lines for people; `-o json` prints the data. Absent for commands that print while they run. */
  present?(data: Data): readonly string[];
  /** The exit code of a command that came to its end. */
  exitCode?(data: Data): number;
}

/** Keeps the type of the data between `run` and `present`, and forgets it for the table. */
export function command<Data>(definition: Command<Data>): Command {
  return definition;
}
