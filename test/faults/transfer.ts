/** SSH sessions through a relay that is behind a bad network, and what went in and came out. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RelayMode } from '../../discovery-worker/src/objects/relay/modes.ts';
import { golemFor, json } from '../golem.ts';
import { startProxy, type Proxy } from '../proxy.ts';
import { startStack, type Stack } from '../stack.ts';

const launcher = join(import.meta.dirname, '../..', 'cli/bin/golem.js');
export const MIB = 1024 * 1024;

export interface FaultyNetwork extends AsyncDisposable {
  readonly stack: Stack;
  /** In front of discovery, for everybody. */
  readonly proxy: Proxy;
  /** A command on the guest, over the system's ssh. */
  ssh(...command: string[]): ChildProcess;
}

/** One provider with a guest of the memory driver, called `web`. */
export async function startFaultyNetwork(relayMode: RelayMode): Promise<FaultyNetwork> {
  await using cleanup = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'f-'));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  let port = 0;
  const proxy = cleanup.use(await startProxy({ target: () => ({ host: '127.0.0.1', port }) }));
  const stack = cleanup.use(
    await startStack({
      ...{ providers: 1, driver: 'memory', dir: join(dir, 's'), relayMode },
      front: async (discovery) => {
        port = Number(new URL(discovery).port);
        return `http://127.0.0.1:${proxy.port}`;
      },
    }),
  );
  const home = join(dir, 'g');
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
  await json(golemFor(stack.env, home)('vm', 'create', 'web', ...spec, '-o', 'json'));
  const kept = cleanup.move();
  return {
    ...{ stack, proxy },
    ssh: (...command) =>
      spawn(process.execPath, [launcher, 'vm', 'ssh', 'web', '--', ...command], {
        env: { ...process.env, ...stack.env, GOLEM_HOME: home },
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

export interface Echo {
  /** Bytes that have come back. */
  readonly arrived: () => number;
  /** Resolves at the end of ssh: its exit code, and whether all came back as it was sent. */
  readonly over: Promise<{ readonly code: unknown; readonly isWhole: boolean }>;
}

/** Sends random bytes to `cat` on the guest, which sends them back meanwhile. */
export function echo(network: FaultyNetwork, bytes: number): Echo {
  const content = randomBytes(bytes);
  const child = network.ssh('cat');
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('ssh has no pipes');
  // An ssh that gave up says so by its exit code.
  stdin.on('error', () => stdin.destroy());
  stdin.end(content);
  const digest = createHash('sha256');
  let arrived = 0;
  stdout.on('data', (chunk: Buffer) => {
    arrived += chunk.length;
    digest.update(chunk);
  });
  child.stderr?.resume();
  return {
    arrived: () => arrived,
    over: once(child, 'close').then(([code]) => ({
      code: code as unknown,
      isWhole: digest.digest('hex') === createHash('sha256').update(content).digest('hex'),
    })),
  };
}
