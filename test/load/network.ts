/** A network for many sessions at once: each is a byte stream of this process through the relay. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { GolemClient } from '../../cli/src/sdk/client.ts';
import { runRelay } from '../../cli/src/tunnel/relay.ts';
import { readRelaySettings } from '../../cli/src/tunnel/settings.ts';
import { loadIdentity } from '../../cli/src/state/identity.ts';
import { pathsFrom } from '../../cli/src/state/paths.ts';
import type { RelayMode } from '../../discovery-worker/src/objects/relay/modes.ts';
import { golemFor, json } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';
import { READY, startGuest, type Behaviour, type Guest } from './guest.ts';
import { childOf } from './processes.ts';

/** What is measured is not how often somebody may ask. */
const UNLIMITED = { perSecond: 10_000, burst: 10_000 };

export interface LoadNetwork extends AsyncDisposable {
  readonly stack: Stack;
  readonly guest: Guest;
  /** Environment of a requestor that has a VM called `web`. */
  readonly env: Readonly<Record<string, string>>;
  readonly agentPid: number;
  readonly relayPid: number;
  /** Resolves when the guest is there. */
  open(behaviour: Behaviour, signal?: AbortSignal): Promise<ByteSession>;
}

export interface ByteSession {
  readonly input: PassThrough;
  readonly output: PassThrough;
  /** Settles when both directions have ended, or the session broke. */
  readonly over: Promise<void>;
  /** Hangs up. */
  drop(): Promise<void>;
}

export interface LoadOptions {
  readonly relayMode: RelayMode;
  /** What stands before discovery, for everybody. */
  readonly front?: (discovery: string) => Promise<string>;
}

export async function startLoadNetwork({ relayMode, front }: LoadOptions): Promise<LoadNetwork> {
  await using cleanup = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'l-'));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const guest = cleanup.use(await startGuest());
  const stack = cleanup.use(
    await startStack({
      ...{ providers: 1, driver: 'memory', dir: join(dir, 's'), relayMode, guestPort: guest.port },
      rates: { relay: UNLIMITED, connect: UNLIMITED, command: UNLIMITED },
      ...(front ? { front } : {}),
    }),
  );
  const env = { ...stack.env, GOLEM_HOME: join(dir, 'g') };
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
  const created = await json<{ readonly id: string; readonly provider: string }>(
    golemFor(stack.env, env.GOLEM_HOME)('vm', 'create', 'web', ...spec, '-o', 'json'),
  );
  const identity = await loadIdentity(pathsFrom(env).key);
  const client = new GolemClient({ discovery: stack.discovery, identity: async () => identity });
  const provider = stack.providers[0];
  if (!provider) throw new Error('there is no provider');

  const kept = cleanup.move();
  return {
    ...{ stack, guest, env },
    get agentPid() {
      return provider.pid;
    },
    get relayPid() {
      return childOf(stack.discoveryPid, 'workerd');
    },
    open: async (behaviour, signal = new AbortController().signal) => {
      const hangUp = new AbortController();
      const [input, output] = [new PassThrough(), new PassThrough()];
      input.write(`${behaviour}\n`);
      const over = runRelay({
        upgrade: await client.sshUpgrade(provider.id, created.id),
        again: (session) => client.resumeUpgrade(session),
        ...{ input, output, settings: readRelaySettings({}) },
        signal: AbortSignal.any([signal, hangUp.signal]),
      });
      // It may break before anybody waits for it.
      over.catch(() => {});
      await Promise.race([greeting(output), over]);
      return {
        ...{ input, output, over },
        drop: async () => {
          hangUp.abort();
          input.destroy();
          await over.catch(() => {});
        },
      };
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Reads what the guest says first, and not one byte more. */
export async function greeting(output: Readable): Promise<void> {
  for (;;) {
    const said = output.read(READY.length) as Buffer | null;
    if (said?.toString() === READY) return;
    if (said) throw new Error(`the guest said ${JSON.stringify(said.toString())}`);
    await once(output, 'readable');
  }
}
