/**
 * `npm run discovery -- [flags]`: prints one JSON line when it is ready, stops in order on a signal,
 * and at once on another one.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { LIMITED, type Rate } from '../src/objects/limiter/rates.ts';
import { isOrigin } from '../src/origins.ts';
import { DISCOVERY_LIMITS } from '../src/limits.ts';
import { RELAY_MODES } from '../src/objects/relay/modes.ts';
import { startDiscovery } from './discovery.ts';

const USAGE = `npm run discovery -- [flags]

  --host ADDRESS            address to listen on (127.0.0.1)
  --port PORT               0 for any (8787)
  --data-dir DIR            where the service keeps its data
  --country CC              where all providers are said to be (unknown)
  --trusted-proxy ADDRESS   whose x-forwarded-for is believed; address or CIDR, may be repeated
  --cors ORIGIN             whose pages may use the API, as in https://app.example; * for all;
                            may be repeated
  --hub-shards N            hub objects that providers are spread over (4)
  --relay-grace SECONDS     how long a cut SSH session is kept (120)
  --relay-mode MODE         coupled: fast; hibernating: as on Cloudflare, counts and bounds (coupled)
  --rate WHAT=N/BURST       so many a second, and at once, for each key; may be repeated.
                            WHAT is list, command, relay or connect
`;

const { insistenceMillis, totalMillis } = DISCOVERY_LIMITS.shutdown;

/** Bad usage exits with 2, as everywhere in this project. */
class UsageError extends Error {}

function readFlags() {
  const { values } = parseArgs({
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '8787' },
      'data-dir': { type: 'string', default: defaultDataDir() },
      country: { type: 'string' },
      'trusted-proxy': { type: 'string', multiple: true },
      cors: { type: 'string', multiple: true },
      'hub-shards': { type: 'string' },
      'relay-grace': { type: 'string' },
      'relay-mode': { type: 'string', default: 'coupled' },
      rate: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  const { country } = values;
  if (country !== undefined && !/^[A-Z]{2}$/.test(country)) {
    throw new UsageError('--country takes two capital letters');
  }
  const relayMode = RELAY_MODES.find((mode) => mode === values['relay-mode']);
  if (!relayMode) throw new UsageError(`--relay-mode takes ${RELAY_MODES.join(' or ')}`);
  const shards = values['hub-shards'];
  const grace = values['relay-grace'];
  return {
    help: values.help === true,
    options: {
      host: values.host,
      port: wholeNumber('--port', values.port, 0, 65_535),
      dataDir: values['data-dir'],
      relayMode,
      ...(grace === undefined
        ? {}
        : { relayGrace: wholeNumber('--relay-grace', grace, 1, LIMITS.relay.graceMaxSeconds) }),
      trustedProxies: values['trusted-proxy'] ?? [],
      corsOrigins: (values.cors ?? []).map(readOrigin),
      rates: Object.fromEntries((values.rate ?? []).map(readRate)),
      ...(country === undefined ? {} : { country }),
      ...(shards === undefined
        ? {}
        : { hubShards: wholeNumber('--hub-shards', shards, 1, 10_000) }),
    },
  };
}

function readOrigin(text: string): string {
  if (isOrigin(text)) return text;
  throw new UsageError('--cors takes an origin such as https://app.example, or *');
}

/** `connect=20/200` */
function readRate(text: string): [string, Rate] {
  const [, name, perSecond = '', burst = ''] = /^([a-z]+)=(\d+)\/(\d+)$/.exec(text) ?? [];
  const what = LIMITED.find((limited) => limited === name);
  if (!what) throw new UsageError(`--rate takes WHAT=N/BURST, with ${LIMITED.join(', ')}`);
  const amount = (value: string) => wholeNumber('--rate', value, 1, 1_000_000);
  return [what, { perSecond: amount(perSecond), burst: amount(burst) }];
}

function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < min || number > max) {
    throw new UsageError(`${flag} takes a whole number from ${min} to ${max}`);
  }
  return number;
}

function defaultDataDir(): string {
  const { XDG_DATA_HOME } = process.env;
  return join(XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'golem', 'discovery');
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { first, insisted } = readSignals();
  await using discovery = await startDiscovery({
    ...flags.options,
    log: (line) => console.error(line),
  });
  console.log(JSON.stringify({ discovery: discovery.url }));
  const crash = await Promise.race([first, discovery.crashed]);
  if (crash === undefined) {
    await discovery.shutDown(AbortSignal.any([insisted, AbortSignal.timeout(totalMillis)]));
    return 0;
  }
  console.error(crash);
  return 1;
}

/** Whoever sends a second signal means it; npm passes on at once what the terminal has sent already. */
function readSignals(): { readonly first: Promise<undefined>; readonly insisted: AbortSignal } {
  const { promise: first, resolve } = Promise.withResolvers<undefined>();
  const insisting = new AbortController();
  let firstAt: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      firstAt ??= performance.now();
      resolve(undefined);
      if (performance.now() - firstAt > insistenceMillis) insisting.abort();
    });
  }
  return { first, insisted: insisting.signal };
}

function isUsage(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return error instanceof UsageError || code.startsWith('ERR_PARSE_ARGS');
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(isUsage(error) ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = isUsage(error) ? 2 : 1;
}
