/**
 * A whole network on this machine: discovery and providers, each a process of its own as it would
 * be anywhere, and the environment that points `golem` at them.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createQemuDriver } from '../agent/src/drivers/qemu/driver.ts';
import type { Limited, Rate } from '../discovery-worker/src/objects/limiter/rates.ts';
import type { RelayMode } from '../discovery-worker/src/objects/relay/modes.ts';
import { startProcess, type RunningProcess } from './process.ts';

const root = join(import.meta.dirname, '..');
const READY_MILLIS = 60_000;

export interface StackOptions {
  readonly providers: number;
  /** Multipass has to be found on the path. */
  readonly driver: 'memory' | 'qemu' | 'multipass';
  /** Everything is kept below this folder: data, keys and logs. Short, as sockets are in it. */
  readonly dir: string;
  /** Where discovery listens; loopback unless said. */
  readonly host?: string;
  /** How relays move bytes; what discovery takes for itself unless said. */
  readonly relayMode?: RelayMode;
  /** Overrides of discovery's rate limits. */
  readonly rates?: Readonly<Partial<Record<Limited, Rate>>>;
  /** Prefixes such as `ip netns exec X` that put a program on another host. */
  readonly on?: { readonly discovery?: readonly string[]; readonly provider?: readonly string[] };
  /** More flags for discovery. */
  readonly discoveryFlags?: readonly string[];
  /** What stands before discovery. @returns the URL that everybody is to use */
  readonly front?: (discovery: string) => Promise<string>;
  /** Put in front of the path of every provider. */
  readonly providerPath?: string;
  /** More flags for every `golem-provider start`. */
  readonly providerFlags?: readonly string[];
  /** Images that providers offer; those of `npm run image` unless said. */
  readonly imageDir?: string;
  /** With the memory driver: guests' SSH port is this TCP port of this machine. */
  readonly guestPort?: number;
}

export interface ProviderHandle {
  readonly id: string;
  readonly pid: number;
  readonly dataDir: string;
  readonly log: string;
  /** Ends the agent, not its guests. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Starts the agent again on the same data. */
  restart(): Promise<void>;
}

export interface Stack extends AsyncDisposable {
  /** URL of discovery. */
  readonly discovery: string;
  /** The process that looks after workerd. */
  readonly discoveryPid: number;
  readonly discoveryLog: string;
  readonly providers: readonly ProviderHandle[];
  /** For `golem`. */
  readonly env: Readonly<Record<string, string>>;
  endDiscovery(signal: NodeJS.Signals): Promise<void>;
  /** On the same port and data. */
  restartDiscovery(): Promise<void>;
}

interface DiscoveryReady {
  readonly discovery: string;
}
interface ProviderReady {
  readonly provider: string;
}

/** Resolves when every provider is connected. Disposing leaves no process and no guest behind. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, host = '127.0.0.1', on = {}, rates = {} } = options;
  const discoveryLog = join(dir, 'discovery.log');
  await mkdir(dir, { recursive: true });
  await using cleanup = new AsyncDisposableStack();

  const launchDiscovery = (port: number) =>
    startProcess<DiscoveryReady>({
      name: 'discovery',
      command: [
        ...(on.discovery ?? []),
        ...[process.execPath, join(root, 'discovery-worker/selfhost/main.ts')],
        ...['--host', host, '--port', String(port), '--data-dir', join(dir, 'discovery')],
        ...(options.relayMode === undefined ? [] : ['--relay-mode', options.relayMode]),
        ...(options.discoveryFlags ?? []),
        ...Object.entries(rates).flatMap(([what, { perSecond, burst }]) => [
          ...['--rate', `${what}=${perSecond}/${burst}`],
        ]),
      ],
      env: process.env,
      log: discoveryLog,
      readyMillis: READY_MILLIS,
    });
  let discovery = await launchDiscovery(0);
  cleanup.defer(() => discovery.end('SIGTERM'));
  const behind = discovery.ready.discovery;
  const url = (await options.front?.(behind)) ?? behind;

  const providers: ProviderHandle[] = [];
  for (let number = 1; number <= options.providers; number += 1) {
    const provider = await startProvider(options, url, number);
    cleanup.defer(() => endProvider(options, provider));
    providers.push(provider);
  }

  const kept = cleanup.move();
  return {
    discovery: url,
    get discoveryPid() {
      return discovery.pid;
    },
    discoveryLog,
    providers,
    env: { GOLEM_DISCOVERY: url, GOLEM_HOME: join(dir, 'golem') },
    endDiscovery: (signal) => discovery.end(signal),
    restartDiscovery: async () => {
      discovery = await launchDiscovery(Number(new URL(behind).port));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function startProvider(
  options: StackOptions,
  url: string,
  number: number,
): Promise<ProviderHandle> {
  const { providerPath } = options;
  const name = `provider-${number}`;
  const dataDir = join(options.dir, name);
  const log = join(options.dir, `${name}.log`);
  const launch = (): Promise<RunningProcess<ProviderReady>> =>
    startProcess<ProviderReady>({
      name,
      command: [
        ...(options.on?.provider ?? []),
        process.execPath,
        ...(options.guestPort === undefined
          ? agentArgs(options, url, { name, dataDir })
          : [join(root, 'test/guest/provider.ts'), String(options.guestPort), url, dataDir]),
      ],
      env: {
        ...process.env,
        ...(providerPath && { PATH: `${providerPath}:${process.env['PATH']}` }),
      },
      log,
      readyMillis: READY_MILLIS,
    });
  let agent = await launch();
  return {
    id: agent.ready.provider,
    get pid() {
      return agent.pid;
    },
    dataDir,
    log,
    end: (signal) => agent.end(signal),
    restart: async () => {
      agent = await launch();
    },
  };
}

function agentArgs(
  { driver, providerFlags = [], imageDir = imageCache() }: StackOptions,
  discovery: string,
  { name, dataDir }: { readonly name: string; readonly dataDir: string },
): string[] {
  return [
    ...[join(root, 'agent/src/main.ts'), 'start', '-o', 'json', '--discovery', discovery],
    // Not the configuration of whoever runs this.
    ...['--config', '/dev/null'],
    ...['--data-dir', dataDir, '--name', name, '--driver', driver, '--log-file', '-'],
    // A machine that runs tests is busy.
    ...['--stop-at-cpu', '100%', '--stop-at-memory', '100%', '--stop-at-disk', '100%'],
    ...(driver === 'memory'
      ? []
      : ['--network', 'restricted', '--only-local-images', '--image-dir', imageDir]),
    ...(driver === 'multipass' ? ['--accept-unisolated'] : []),
    ...(driver === 'qemu' ? ['--allow-emulation'] : []),
    ...providerFlags,
  ];
}

/** Where `npm run image` puts what it builds. */
export function imageCache(): string {
  return process.env['GOLEM_IMAGE_CACHE'] ?? join(root, '.cache/images');
}

/** An agent leaves its guests running when it stops; a test network must not. */
async function endProvider({ driver }: StackOptions, provider: ProviderHandle): Promise<void> {
  await provider.end('SIGTERM');
  if (driver !== 'qemu') return;
  const stateDir = join(provider.dataDir, 'guests');
  await using qemu = await createQemuDriver({ stateDir, allowEmulation: true });
  for (const { vmId } of await qemu.list()) await qemu.destroy(vmId);
}
