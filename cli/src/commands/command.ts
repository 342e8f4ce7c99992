/** What a command is: data about itself, a `run` that neither prints nor exits, and a view. */
import type { Readable, Writable } from 'node:stream';
import type { GolemClient } from '../sdk/client.ts';
import type { View } from '../presenters/view.ts';
import type { Paths } from '../state/paths.ts';
import type { VmBook } from '../state/book.ts';

export interface Option {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  readonly summary: string;
  readonly repeatable?: boolean;
}

/** Everything is text as it was typed: nothing is ever taken for a number on the way. */
export interface Input {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, readonly string[]>>;
  /** For commands that pass words on: everything after their first argument. */
  readonly rest: readonly string[];
}

/** The world of a command that asks nobody. */
export interface LocalContext {
  readonly book: VmBook;
  readonly paths: Paths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** For people, on stderr. */
  readonly note: (line: string) => void;
  /** Shows what is going on, in place on a terminal, where `line` is called again as time passes. */
  readonly progress: (line: () => string, isLast?: boolean) => void;
  /** @returns false where nobody can be asked */
  readonly confirm: (question: string) => Promise<boolean>;
  /** For commands that carry bytes. */
  readonly streams: { readonly input: Readable; readonly output: Writable };
  /** Words that start this very program again. */
  readonly self: readonly string[];
}

/** The world of a command. */
export interface Context extends LocalContext {
  readonly client: GolemClient;
}

interface CommandBase<Data> {
  readonly name: string;
  /** Arguments as in the help: `NAME`, `[NAME]`, `NAME...`. */
  readonly usage: string;
  readonly args: { readonly min: number; readonly max: number };
  readonly options: readonly Option[];
  readonly examples: readonly string[];
  /** What comes after the first argument belongs to somebody else. */
  readonly passesOn?: boolean;
  /** What `-o json` prints, if not the data as it is. */
  json?(data: Data): unknown;
  /** Absent for commands that print nothing. */
  present?(data: Data): View;
  /**
   * For `-f` and `--watch`: one value after the other until somebody stops it. Asked before `run`,
   * which does not follow then; undefined when this input asks for one answer.
   */
  follow?(context: Context, input: Input): AsyncIterable<Data> | undefined;
  /** What a terminal does with the next value: show it below, or in the place of the one before. */
  readonly live?: 'append' | 'redraw';
  /** The exit code of every failure but a wrong command line, where the table's is not wanted. */
  readonly failureCode?: number;
  /** The exit code of a command that went well. */
  exitCode?(data: Data): number;
}

/** What can be done without a client is not kept waiting until one is loaded. */
export interface LocalCommand<Data = unknown> extends CommandBase<Data> {
  readonly isLocal: true;
  run(context: LocalContext, input: Input): Promise<Data>;
}

interface RemoteCommand<Data> extends CommandBase<Data> {
  readonly isLocal?: never;
  run(context: Context, input: Input): Promise<Data>;
}

export type Command<Data = unknown> = LocalCommand<Data> | RemoteCommand<Data>;

/** A row of a table of commands. */
export interface Entry {
  readonly summary: string;
  readonly aliases?: readonly string[];
  load(): Promise<Command>;
}

/** The one value of an option, or undefined. */
export function option(input: Input, name: string): string | undefined {
  return input.options[name]?.at(-1);
}

export function isSet(input: Input, name: string): boolean {
  return input.options[name] !== undefined;
}
