/** SSH sessions through a relay that is behind a bad network, and what went in and came out. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RelayMode } from '../../discovery-worker/src/objects/relay/modes.ts';
import { golemFor, json } from '../golem.ts';
import { startProxy, type Proxy } from '../proxy.ts';
import { startStack, type Stack } from '../stack.ts';

const launcher = join(import.meta.dirname, '../..', 'cli/bin/golem.js');
export const MIB = 1024 * 1024;
const POLL_MILLIS = 50;

export interface FaultyNetwork extends AsyncDisposable {
  readonly stack: Stack;
  /** In front of discovery, for everybody. */
  readonly proxy: Proxy;
  /** A command on the guest, over the system's ssh. */
  ssh(...command: string[]): ChildProcess;
  /** Resolves when the provider can be reached. */
  online(): Promise<void>;
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
    // The list shows a provider whose connection broke for a while longer, so it is asked itself.
    online: async () => {
      const golem = golemFor(stack.env, home);
      while ((await golem('vm', 'ssh', 'web', '--', 'true')).status !== 0) await sleep(POLL_MILLIS);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** What was sent and came back. */
interface Outcome {
  /** Exit code of ssh. */
  readonly code: unknown;
  readonly bytes: number;
  readonly sha256: string;
  /** By ssh, when it failed. */
  readonly said: string;
}

export interface Echo {
  /** Bytes that have come back. */
  readonly arrived: () => number;
  /** Resolves when so many have. @throws when ssh ended before */
  readonly reached: (bytes: number) => Promise<void>;
  /** Stops reading what comes back, and goes on. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** What is to come back. */
  readonly sent: Outcome;
  /** Resolves at the end of ssh with what did. */
  readonly back: Promise<Outcome>;
}

/** Sends random bytes to `cat` on the guest, which sends them back meanwhile. */
export function echo(network: Pick<FaultyNetwork, 'ssh'>, bytes: number): Echo {
  const content = randomBytes(bytes);
  const child = network.ssh('cat');
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error('ssh has no pipes');
  // An ssh that gave up says so by its exit code.
  stdin.on('error', () => stdin.destroy());
  stdin.end(content);
  const digest = createHash('sha256');
  let arrived = 0;
  stdout.on('data', (chunk: Buffer) => {
    arrived += chunk.length;
    digest.update(chunk);
  });
  let said = '';
  stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  let isOver = false;
  const back = once(child, 'close').then(([code]): Outcome => {
    isOver = true;
    return { code, bytes: arrived, sha256: digest.digest('hex'), said: code === 0 ? '' : said };
  });
  const sha256 = createHash('sha256').update(content).digest('hex');
  return {
    arrived: () => arrived,
    reached: async (count) => {
      for (;;) {
        if (arrived >= count) return;
        if (isOver) throw new Error(`ssh ended after ${arrived} bytes: ${said}`);
        await sleep(POLL_MILLIS / 10);
      }
    },
    pause: () => stdout.pause(),
    resume: () => stdout.resume(),
    sent: { code: 0, bytes, sha256, said: '' },
    back,
  };
}
