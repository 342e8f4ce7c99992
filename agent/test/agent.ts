/** `golem-provider start` as a process of its own, a discovery service for it, and its commands. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { Hub, type Wire } from './hub.ts';

const BIN = join(import.meta.dirname, '..', 'bin', 'golem-provider.js');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AgentProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly hub: Hub;
  /** The control connection; its first offer has been read. */
  readonly wire: Wire;
  readonly id: string;
  /** Resolves when a line of its log holds `words`, now or later. */
  logged(words: string): Promise<void>;
  /** Runs another command for the same folder and configuration. */
  command(...words: string[]): Promise<Ran>;
}

/** @param home also where the configuration is found, at `config.toml`, and the data, at `data` */
export async function startAgent(home: string): Promise<AgentProcess> {
  await using cleanup = new AsyncDisposableStack();
  const hub = cleanup.use(await Hub.start());
  const env = { ...environment(home), GOLEM_PROVIDER_DISCOVERY: hub.url };
  const words = ['start', '-o', 'json', '--driver', 'memory'];
  const child = spawn(process.execPath, [BIN, ...words], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  cleanup.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk;
  });
  const line = once(createInterface({ input: child.stdout }), 'line');
  const wire = await hub.connection();
  await wire.message('offer');
  wire.welcome();
  const { provider: id } = JSON.parse(String((await line)[0])) as { provider: string };
  const kept = cleanup.move();
  return {
    ...{ child, hub, wire, id },
    logged: async (expected) => {
      while (!log.includes(expected)) await once(child.stderr, 'data');
    },
    command: (...rest) => runCommand(rest, env),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

export function environment(home: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    GOLEM_PROVIDER_CONFIG: join(home, 'config.toml'),
    GOLEM_PROVIDER_DATA_DIR: join(home, 'data'),
  };
}

export async function runCommand(
  words: readonly string[],
  env: Record<string, string>,
): Promise<Ran> {
  const child = spawn(process.execPath, [BIN, ...words], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ]);
  return { code, stdout, stderr };
}
