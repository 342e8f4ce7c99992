/** A requestor with one running VM, which is a guest in this process. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import { pinHostKey } from '../../src/openssh/known-hosts.ts';
import type { Command } from '../../src/commands/command.ts';
import { ownSshKey } from '../../src/state/ssh-keys.ts';
import { contextOf, type TestContext } from '../context.ts';
import { vmOf } from '../network.ts';
import { startGuest, type GuestServer } from './server.ts';

export interface World extends AsyncDisposable {
  readonly here: TestContext;
  readonly guest: GuestServer;
  /** The guest's home. */
  readonly home: string;
  /** Runs a command with this input, and keeps what it wrote. */
  run(command: Command<number>, words: readonly string[], input?: string | Buffer): Promise<Ran>;
}

export interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** @param provider whose VM it is, `gp_...` */
export async function worldOf(provider = `gp_${'p'.repeat(26)}`): Promise<World> {
  const resources = new AsyncDisposableStack();
  const here = resources.use(await contextOf());
  const home = join(here.folder, 'guest home');
  await mkdir(home);
  const key = await ownSshKey(here.context.paths);
  const guest = resources.use(await startGuest({ authorized: [key.publicKey], home }));
  const vm = vmOf({ hostKey: guest.hostKey, user: 'root' });
  await pinHostKey(here.context.paths, { provider, vm });
  await here.context.book.put({ name: 'web', provider, vm, sshKey: key.file });
  here.context.client.sshUpgrade = async () => ({ url: guest.url, headers: {} });
  return {
    ...{ here, guest, home },
    run: async (command, words, input = '') => {
      const streams = {
        input: new PassThrough().end(input),
        output: new PassThrough(),
        error: new PassThrough(),
      };
      Object.assign(here.context, { streams });
      const [stdout, stderr] = [buffer(streams.output), buffer(streams.error)];
      const ended = here.run(command, ...words).finally(() => {
        streams.output.end();
        streams.error.end();
      });
      const [code, out, error] = await Promise.all([ended, stdout, stderr]);
      return { code, stdout: out, stderr: error.toString() };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}
