/** The world of a command: a real book in a folder of its own, a client that does not wait. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { parseArgv } from '../src/program/argv.ts';
import type { ClientOptions } from '../src/sdk/client.ts';
import type { Command, Context } from '../src/commands/command.ts';
import { openHome } from '../src/state/home.ts';
import { pathsFrom } from '../src/state/paths.ts';
import { VmBook } from '../src/state/book.ts';
import { ownSshKeyFile } from '../src/state/ssh-key-file.ts';
import { clientOf } from './network.ts';

export interface TestContext extends AsyncDisposable {
  readonly context: Context;
  readonly notes: string[];
  readonly stages: string[];
  readonly waits: readonly number[];
  readonly folder: string;
  readonly stop: AbortController;
  /** Runs a command as if it was typed. */
  run<Data>(command: Command<Data>, ...words: string[]): Promise<Data>;
}

export async function contextOf(options: Partial<ClientOptions> = {}): Promise<TestContext> {
  const folder = await mkdtemp(join(tmpdir(), 'golem-cli-'));
  const { client, waits } = await clientOf(options);
  const paths = pathsFrom({ GOLEM_HOME: folder });
  const notes: string[] = [];
  const stages: string[] = [];
  const stop = new AbortController();
  const context: Context = {
    client,
    book: new VmBook(paths.vms, { ownKey: ownSshKeyFile(paths) }),
    paths,
    env: {},
    signal: stop.signal,
    now: () => 0,
    note: (line) => void notes.push(line),
    progress: (line) => void stages.push(line()),
    confirm: async () => false,
    ask: async () => undefined,
    streams: { input: new PassThrough(), output: new PassThrough(), error: new PassThrough() },
    self: ['golem'],
    home: openHome({ GOLEM_HOME: folder }),
    openClient: async () => client,
  };
  return {
    ...{ context, notes, stages, waits, folder, stop },
    run: (command, ...words) => command.run(context, parseArgv(command, words)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
