/** One real VM with rsync, git and Python in it, rented for the tests of a file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { golemFor, json, run, type Finished, type Golem } from '../golem.ts';
import { imageCache, startStack, type Stack } from '../stack.ts';

export interface Rented extends AsyncDisposable {
  /** A folder of this machine for whatever the tests make. */
  readonly dir: string;
  readonly stack: Stack;
  readonly env: Readonly<Record<string, string>>;
  readonly golem: Golem;
  /** Of the VM, which is called `web`. */
  readonly vmId: string;
  /** What `golem vm ssh-config` prints, in a file. */
  readonly sshConfig: string;
  /** Runs a program of this machine in `dir`. */
  tool(...words: string[]): Promise<Finished>;
  /** Starts one that goes on until the tests have ended. */
  start(...words: string[]): ChildProcess;
}

export async function rentInterop(): Promise<Rented> {
  await using resources = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'g-'));
  resources.defer(() => rm(dir, { recursive: true, force: true }));
  const stack = resources.use(
    await startStack({
      ...{ providers: 1, driver: 'qemu', dir: join(dir, 's') },
      imageDir: `${imageCache()}-interop`,
    }),
  );
  const home = join(dir, 'golem');
  const golem = golemFor(stack.env, home);
  const { id: vmId } = await json<{ id: string }>(
    golem('vm', 'create', 'web', '--cpu', '1', '--memory', '512M', '--storage', '2', '-o', 'json'),
  );
  const sshConfig = join(dir, 'ssh_config');
  await writeFile(sshConfig, (await golem('vm', 'ssh-config', 'web')).stdout);
  const env = { ...stack.env, GOLEM_HOME: home, HOME: dir };
  const kept = resources.move();
  return {
    ...{ dir, stack, env, golem, vmId, sshConfig },
    tool: (...words) => run(words, { env, cwd: dir }),
    start: (program = '', ...words) => {
      const child = spawn(program, words, {
        cwd: dir,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      kept.defer(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill();
        await ended;
      });
      return child;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const PATIENCE = 100;

/** The first bytes that come from a port of this machine, once somebody listens there. */
export async function greeting(port: number, say?: Buffer): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      if (say) socket.write(say);
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      return bytes.toString('latin1');
    } catch (error) {
      if (tries === PATIENCE) throw error;
      await sleep(100);
    } finally {
      socket.destroy();
    }
  }
}
