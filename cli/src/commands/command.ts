/** What a command is: data about itself, a `run` that neither prints nor exits, and a view. */
import type { Readable, Writable } from 'node:stream';
import type { Identity } from '@vm-on-golem/shared/keys';
import type { GolemClient } from '../sdk/client.ts';
import type { View } from '../presenters/view.ts';
import type { Home } from '../state/home.ts';
import type { Paths } from '../state/paths.ts';
import type { VmBook } from '../state/book.ts';

export interface Option {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  /** All values that there are, where they are few: for completion and the help. */
  readonly choices?: readonly string[];
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
  /** The context in use, its settings, and who said so. */
  readonly home: Home;
  /** That of the process, with what the settings of the context add to it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends by the first Ctrl-C, with a GolemError `interrupted` as its reason. */
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** For people, on stderr. */
  readonly note: (line: string) => void;
  /** Shows what is going on, in place on a terminal, where `line` is called again as time passes. */
  readonly progress: (line: () => string, isLast?: boolean) => void;
  /**
   * Asks for consent. @returns true at once with `--yes`; false where nobody can be asked, which is
   * where there is no terminal and with `--no-input`
   * @throws {GolemError} `interrupted` when the answer is no
   */
  readonly confirm: (question: string) => Promise<boolean>;
  /**
   * Asks for a line of text. @returns undefined where nobody can be asked, or nothing was said
   * @param isSecret the answer is not shown while it is typed
   */
  readonly ask: (question: string, isSecret?: boolean) => Promise<string | undefined>;
  /** For commands that carry bytes. */
  readonly streams: {
    readonly input: Readable;
    readonly output: Writable;
    readonly error: Writable;
  };
  /** Words that start this very program again. */
  readonly self: readonly string[];
  /**
   * For commands that ask nobody most of the time.
   * @param identity who signs; the requestor of the context unless said
   * @param discovery URL of another service than that of the context
   */
  readonly openClient: (
    identity?: () => Promise<Identity>,
    discovery?: string,
  ) => Promise<GolemClient>;
}

/** The world of a command. */
export interface Context extends LocalContext {
  readonly client: GolemClient;
}

/** What the first Ctrl-C leaves behind. */
export interface Interruption {
  readonly message: string;
  /** How to follow what goes on, and how to undo it. */
  readonly hint?: string;
}

interface CommandBase<Data> {
  readonly name: string;
  /** Arguments as in the help: `NAME` for a VM's, `[NAME]`, `NAME...`, `FILE`, `SETTING`, `CONTEXT`. */
  readonly usage: string;
  readonly args: { readonly min: number; readonly max: number };
  readonly options: readonly Option[];
  readonly examples: readonly string[];
  /** Paragraphs for the pages of the manual; the help itself has none. */
  readonly about?: readonly string[];
  /** What comes after the first argument belongs to somebody else. */
  readonly passesOn?: boolean;
  /** What `-o json` and `-o yaml` print, if not the data as it is. */
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
  /** It runs although the settings cannot be read, or name a context that there is none of. */
  readonly repairs?: boolean;
  /** What is said when Ctrl-C ends `run`, if its error says nothing more precise. */
  interrupted?(input: Input): Interruption;
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

/** Commands that the help shows together, by the word that calls them. */
export interface Section {
  readonly title: string;
  readonly commands: Readonly<Record<string, Entry>>;
}

/** A word that commands come after: `vm` in `golem vm create`. */
export interface Group {
  readonly summary: string;
  readonly examples: readonly string[];
  readonly sections: readonly Section[];
}

/** The one value of an option, or undefined. */
export function option(input: Input, name: string): string | undefined {
  return input.options[name]?.at(-1);
}

export function isSet(input: Input, name: string): boolean {
  return input.options[name] !== undefined;
}
