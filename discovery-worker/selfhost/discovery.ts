/** The discovery service on a machine of one's own, in one workerd process with its data on disk. */
import { mkdir } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join, resolve } from 'node:path';
import type { Rate } from '../src/objects/limiter/rates.ts';
import type { RelayMode } from '../src/objects/relay/modes.ts';
import { bundleWorker, readMigrations } from './bundle.ts';
import { foldersOfShortLived, workerdConfig } from './config.ts';
import { askToShutDown, createControlFolder } from './control.ts';
import { sweepLeftovers } from './leftovers.ts';
import { startWorkerd } from './runtime.ts';

/** A busy service has some thousand sessions in this time, of 4 KiB each. */
const SWEEP_MILLIS = 10 * 60 * 1000;

export interface DiscoveryOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0 for any. */
  readonly port: number;
  readonly dataDir: string;
  /** Where all providers are said to be: two capital letters. */
  readonly country?: string;
  /** Addresses or CIDR blocks whose `x-forwarded-for` is believed. */
  readonly trustedProxies?: readonly string[];
  /** How many hub objects providers are spread over. Changing it moves providers. */
  readonly hubShards?: number;
  /** How relays move bytes (`coupled`): see `src/objects/relay/modes.ts`. */
  readonly relayMode?: RelayMode;
  /** How long a relay session is kept that lost its legs, in seconds (120). */
  readonly relayGrace?: number;
  /** Origins whose pages may use the API; `*` for all. */
  readonly corsOrigins?: readonly string[];
  /** Overrides of the rate limits, by class: see `src/objects/limiter/rates.ts`. */
  readonly rates?: Readonly<Record<string, Rate>>;
  /** Takes what the service writes, line by line. */
  readonly log: (line: string) => void;
}

export interface Discovery extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Settles with the reason when the service ends by itself. */
  readonly crashed: Promise<string>;
  /**
   * Takes no more requests, answers those that it has, sends agents away to come back, and ends.
   * At once when `hurry` aborts.
   */
  shutDown(hurry: AbortSignal): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** Resolves when the service answers and its database is up to date. */
export async function startDiscovery(options: DiscoveryOptions): Promise<Discovery> {
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const [worker, migrations] = await Promise.all([bundleWorker(), readMigrations()]);
  await using undo = new AsyncDisposableStack();
  undo.use(await keepClean(foldersOfShortLived(join(dataDir, 'v1')), options.log));
  const { folder, socket } = undo.use(await createControlFolder());
  const config = await workerdConfig({
    address: `${bracketed(options.host)}:${options.port}`,
    control: socket,
    dataDir: join(dataDir, 'v1'),
    worker,
    vars: {
      EDGE: 'direct',
      ...(options.relayGrace === undefined ? {} : { RELAY_GRACE_SECONDS: options.relayGrace }),
      RELAY_MODE: options.relayMode ?? 'coupled',
      HUB_SHARDS: options.hubShards ?? 4,
      COUNTRY: options.country ?? 'unknown',
      TRUSTED_PROXIES: options.trustedProxies ?? [],
      CORS_ORIGINS: options.corsOrigins ?? [],
      RATES: options.rates ?? {},
      MIGRATIONS: migrations,
    },
  });
  const runtime = await startWorkerd({ config, folder, log: options.log });
  undo.defer(runtime.close);
  const { port, crashed } = runtime;
  const url = `http://${bracketed(reachable(options.host))}:${port}`;
  const health = await fetch(`${url}/healthz`);
  if (!health.ok) throw new Error(`the service is not well: ${await health.text()}`);
  const shutDown = async (hurry: AbortSignal) => {
    try {
      await askToShutDown(socket, hurry);
    } catch (error) {
      if (!hurry.aborted) options.log(`agents were not let go: ${String(error)}`);
    }
    await runtime.end(hurry);
  };
  const kept = undo.move();
  const close = () => kept.disposeAsync();
  return { url, port, crashed, shutDown, close, [Symbol.asyncDispose]: close };
}

/** Removes what ended sessions have left: now, and every few minutes. */
async function keepClean(
  folders: readonly string[],
  log: (line: string) => void,
): Promise<Disposable> {
  const sweep = async () => {
    try {
      for (const folder of folders) await sweepLeftovers(folder, Date.now());
    } catch (error) {
      log(`what ended sessions have left could not be removed: ${String(error)}`);
    }
  };
  await sweep();
  const timer = setInterval(() => void sweep(), SWEEP_MILLIS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const bracketed = (host: string) => (isIPv6(host) ? `[${host}]` : host);

/** Who listens on every address is reached on the loopback one. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
