/** `golem-provider start` as a process of its own, a discovery service for it, and its commands. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { verifyAnswer, type WireAnswer } from '@vm-on-golem/shared/answers';
import { paths, type Accepted, type OperationPage } from '@vm-on-golem/shared/api';
import type { Identity } from '@vm-on-golem/shared/keys';
import type { SignedOffer } from '@vm-on-golem/shared/offer';
import { signRequest, type WireRequest } from '@vm-on-golem/shared/signing';
import { Hub, type Wire } from './hub.ts';
import { createBody } from './provider.ts';

const BIN = join(import.meta.dirname, '..', 'bin', 'golem-provider.js');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Answer = WireAnswer & { readonly id: string };

interface Sent {
  /** Of the answer as well. */
  readonly id: string;
  readonly request: WireRequest;
}

export interface AgentProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly hub: Hub;
  /** The control connection; its first offer has been read. */
  readonly wire: Wire;
  readonly offer: SignedOffer;
  readonly id: string;
  /** For other commands. */
  readonly env: Record<string, string>;
  /** Resolves when a line of its log holds `words`, now or later. */
  logged(words: string): Promise<void>;
  /** Sends a request of `owner`, and waits for nothing. */
  send(owner: Identity, method: string, path: string, body?: unknown): Promise<Sent>;
  /** The next answer to anything. */
  answer(): Promise<Answer>;
  /** Asks as `owner`, and believes only a signed answer. */
  ask(owner: Identity, method: string, path: string, body?: unknown): Promise<unknown>;
  /** Follows an operation to its end. */
  follow(owner: Identity, operation: string): Promise<OperationPage>;
  /** Rents a VM, and waits until it runs. @returns its id */
  rent(owner: Identity, name: string): Promise<string>;
  /** @returns the exit code; null when the signal was the end of it */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Runs another command for the same folder and configuration. */
  command(...words: string[]): Promise<Ran>;
}

/**
 * @param home also where the configuration is found, at `config.toml`, and the data, at `data`
 * @param more variables of the agent, and not of other commands
 */
export async function startAgent(
  home: string,
  more: Readonly<Record<string, string>> = {},
): Promise<AgentProcess> {
  await using cleanup = new AsyncDisposableStack();
  const hub = cleanup.use(await Hub.start());
  const env = { ...environment(home), GOLEM_PROVIDER_DISCOVERY: hub.url };
  const said = await readFile(join(home, 'config.toml'), 'utf8').catch(() => '');
  const stderr = said.includes('log-file') ? [] : ['--log-file', '-'];
  const words = ['start', '-o', 'json', '--driver', 'memory', ...stderr];
  const { child } = cleanup.use(spawnCommand(words, { ...env, ...more }));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk;
  });
  const line = once(createInterface({ input: child.stdout }), 'line');
  const wire = await hub.connection();
  const { offer } = await wire.message('offer');
  wire.welcome();
  const { provider: id } = JSON.parse(String((await line)[0])) as { provider: string };
  const talk = talkOver(hub, wire, id);
  const kept = cleanup.move();
  return {
    ...{ child, hub, wire, offer, id, env, ...talk },
    rent: async (owner, name) => {
      const created = await talk.ask(owner, 'POST', paths.vms(id), createBody(name));
      const { operation, vm } = created as Accepted;
      const { state } = await talk.follow(owner, operation);
      if (state !== 'succeeded') throw new Error(`${name} could not be rented`);
      return vm.id;
    },
    end: async (signal) => {
      const ended = once(child, 'exit') as Promise<[number | null]>;
      child.kill(signal);
      return (await ended)[0];
    },
    logged: async (expected) => {
      while (!log.includes(expected)) await once(child.stderr, 'data');
    },
    command: (...rest) => runCommand(rest, env),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type Talk = Pick<AgentProcess, 'send' | 'answer' | 'ask' | 'follow'>;

function talkOver(hub: Hub, wire: Wire, provider: string): Talk {
  let requests = 0;
  const send: Talk['send'] = async (owner, method, path, body) => {
    const request = await signRequest(
      {
        ...{ method, url: `${hub.url}${path}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(method === 'GET' ? {} : { idempotencyKey: crypto.randomUUID() }),
      },
      owner,
      { now: Date.now },
    );
    const id = `r${(requests += 1)}`;
    wire.send({ type: 'request', id, ...request });
    return { id, request };
  };
  // New offers come in between.
  const answer: Talk['answer'] = async () => {
    for (;;) {
      const message = JSON.parse(await wire.text()) as Answer & { readonly type: string };
      if (message.type === 'response') return message;
    }
  };
  const ask: Talk['ask'] = async (owner, method, path, body) => {
    for (;;) {
      const { id, request } = await send(owner, method, path, body);
      let response;
      do response = await answer();
      while (response.id !== id);
      await verifyAnswer(response, request, provider);
      const parsed = JSON.parse(response.body) as { error?: { code: string } };
      // What was signed in the second of the agent's start is signed anew.
      if (parsed.error?.code !== 'stale_request') return parsed;
    }
  };
  const follow: Talk['follow'] = async (owner, operation) => {
    for (;;) {
      const path = `${paths.operation(provider, operation)}?after=99&wait=5`;
      const page = (await ask(owner, 'GET', path)) as OperationPage;
      if (page.state !== 'running') return page;
    }
  };
  return { send, answer, ask, follow };
}

export function environment(home: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    GOLEM_PROVIDER_CONFIG: join(home, 'config.toml'),
    GOLEM_PROVIDER_DATA_DIR: join(home, 'data'),
  };
}

/** Killed at the end, unless it has ended by itself. */
export function spawnCommand(words: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [BIN, ...words], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return {
    child,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

export async function runCommand(
  words: readonly string[],
  env: Record<string, string>,
): Promise<Ran> {
  const { child } = spawnCommand(words, env);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ]);
  return { code, stdout, stderr };
}
