/** Discovery and one agent as people install it, and a requestor in this process. */
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { GolemClient } from '../../cli/src/sdk/client.ts';
import { startProcess } from '../../test/process.ts';

const root = join(import.meta.dirname, '../..');
const READY_MILLIS = 60_000;
/** What is measured is not how an agent spares a machine that is busy with being measured. */
const BUSY = ['--stop-at-cpu', '100%', '--stop-at-memory', '100%', '--stop-at-disk', '100%'];

export interface AgentNetworkOptions {
  readonly dir: string;
  /** More flags of `golem-provider start`. */
  readonly flags: readonly string[];
}

export interface AgentNetwork extends AsyncDisposable {
  readonly discovery: string;
  /** `gp_...`. */
  readonly provider: string;
  /** Of the agent. */
  readonly pid: number;
  readonly dataDir: string;
  readonly client: GolemClient;
}

/** What people install: the program's own starter and the one file that it starts. */
export async function installed(name: 'agent' | 'cli', dir: string): Promise<string> {
  for (const part of ['bin', 'dist', 'package.json']) {
    await cp(join(root, name, part), join(dir, name, part), { recursive: true });
  }
  return join(dir, name, 'bin', name === 'cli' ? 'golem.js' : 'golem-provider.js');
}

export async function startAgentNetwork({
  dir,
  flags,
}: AgentNetworkOptions): Promise<AgentNetwork> {
  await mkdir(dir, { recursive: true });
  await using cleanup = new AsyncDisposableStack();
  const start = async <Ready>(name: string, args: readonly string[]) => {
    const started = await startProcess<Ready>({
      ...{ name, command: [process.execPath, ...args], env: process.env },
      ...{ log: join(dir, `${name}.log`), readyMillis: READY_MILLIS },
    });
    cleanup.defer(() => started.end('SIGTERM'));
    return started;
  };
  const discovery = await start<{ discovery: string }>('discovery', [
    ...[join(root, 'discovery-worker/selfhost/main.ts'), '--port', '0'],
    ...['--data-dir', join(dir, 'discovery')],
    // What is measured is the agent, not how it is protected.
    ...['--rate', 'command=10000/10000', '--rate', 'list=10000/10000'],
  ]);
  const url = discovery.ready.discovery;
  const dataDir = join(dir, 'p');
  const agent = await start<{ provider: string }>('agent', [
    ...[await installed('agent', dir), 'start', '-o', 'json', '--discovery', url],
    ...['--data-dir', dataDir, '--name', 'bench', ...BUSY, ...flags],
  ]);
  const identity = await generateIdentity('requestor');
  const kept = cleanup.move();
  return {
    discovery: url,
    provider: agent.ready.provider,
    pid: agent.pid,
    dataDir,
    client: new GolemClient({ discovery: url, identity: async () => identity }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
