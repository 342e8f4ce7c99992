/** The agent as a whole: everything is put together here, and let go of in reverse. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Budget } from '@vm-on-golem/shared/stream/window';
import type { Logger } from 'pino';
import { createApp } from './api/app.ts';
import { Gate } from './api/gate.ts';
import type { Served } from './api/observed.ts';
import { answerOf, createServe, signedAnswer } from './api/serve.ts';
import { readHost } from './boot.ts';
import { HostWatch, type Guest } from './host/watch.ts';
import { minimumOf, policyOf, pricesOf, termsOf, trafficLimitsOf } from './config/config.ts';
import type { LiveConfig } from './config/live.ts';
import { operatorListener } from './control/app.ts';
import { listenForOperator } from './control/socket.ts';
import { controlsOf } from './control/controls.ts';
import type { Driver } from './drivers/driver.ts';
import { loggedDriver } from './drivers/logged.ts';
import type { GuestNetwork } from './drivers/qemu/network/network.ts';
import { GuestNetworks } from './guest-network.ts';
import { cannotRun, openDriver, readFacts } from './hypervisor.ts';
import { openImages } from './guest-images.ts';
import { openProvider } from './identity/provider.ts';
import { requestOf } from './link/requests.ts';
import { Link } from './link/link.ts';
import { createOffer } from './offer/offer.ts';
import { loadMetrics } from './metrics/load.ts';
import { Relays } from './relay/relays.ts';
import type { VmRecord } from './vms/records.ts';
import { Store } from './vms/store/store.ts';
import { clock } from './clock.ts';
import { TrafficKeeper } from './traffic/keeper.ts';
import type { Reading } from './traffic/meter.ts';
import { TrafficTable } from './traffic/table.ts';
import { startUpkeep } from './upkeep.ts';
import { VERSION } from './version.ts';
import { openVms } from './vms/vms.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

interface Connected {
  /** `gp_...`. */
  readonly provider: string;
  readonly name: string;
  readonly discovery: string;
  readonly driver: string;
}

export interface RunOptions {
  readonly log: Logger;
  /** Called once, when everything is set right that was left open: it serves as soon as it is connected. */
  readonly ready?: (provider: string) => void;
  /** Called once, when it begins to stop. */
  readonly stopping?: () => void;
  /** Called once, when discovery lists the provider for the first time. */
  readonly connected: (facts: Connected) => void;
  /** Another driver than the configured one, for benchmarks. */
  readonly openDriver?: (stateDir: string) => Promise<Driver>;
}

/**
 * Runs the agent until `signal`. Its guests outlive it.
 * @throws {GolemError} when it cannot start.
 */
export async function run(
  live: LiveConfig,
  signal: AbortSignal,
  options: RunOptions,
): Promise<void> {
  const { log, connected } = options;
  const now = () => Date.now();
  const config = live.current;
  const dataDir = config['data-dir'];
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await using resources = new AsyncDisposableStack();

  // First of all, because it is also what keeps a second agent out of the folder.
  const store = resources.use(new Store(join(dataDir, 'provider.db')));
  const provider = await openProvider(dataDir, now);
  const { identity } = provider;
  const guests = options.openDriver
    ? undefined
    : await GuestNetworks.open(config, { cap: () => traffic?.guestBits, log }).catch(cannotRun);
  const opened =
    options.openDriver?.(join(dataDir, 'guests')) ?? openDriver(config, guests?.network);
  const driver = loggedDriver(resources.use(await opened), log);
  const facts = await readFacts(driver, config);
  let { isolation } = facts;
  const traffic: TrafficKeeper | undefined =
    guests?.network &&
    new TrafficKeeper({
      ...{ table: new TrafficTable(store.db), network: guests.network, now, log },
      limits: () => trafficLimitsOf(live.current),
      guests: () => store.vms.live().map(({ id }) => id),
      relayed: (): Reading => ({
        receivedBytes: relays.traffic.toGuests,
        sentBytes: relays.traffic.fromGuests,
      }),
      changed: () => link.offerChanged(),
    });
  const machine = await readHost();
  const { images, keeper } = await openImages(live, facts);
  const host = await HostWatch.open({
    ...{ config: () => live.current, folder: dataDir, now, log },
    guests: () => store.vms.live().map(guestOf),
    usage: (vmId) => driver.usage(vmId),
    makeRoom: async (bytes) => (await keeper?.trim(bytes)) ?? 0,
    changed: () => link.offerChanged(),
  });
  live.guard((said) => void host.sharesOf(said));
  resources.defer(live.watch(() => host.reshare()));
  const prices = () => pricesOf(live.current);
  log.info(
    {
      provider: identity.id,
      driver: driver.name,
      facts,
      capacity: host.capacity(),
      prices: prices(),
    },
    'starting',
  );

  let connections = 0;
  const metrics = await loadMetrics(config.metrics, {
    facts: { version: VERSION, provider: identity.id, driver: driver.name },
    link: () => ({ phase: link.phase, connections }),
    accepting: () => vms.closed() === undefined,
    capacity: () => host.capacity(),
    available: () => vms.available(),
    phases: () => countBy(store.vms.live(), ({ phase }) => phase),
    relays: () => ({ sessions: relays.size, ...relays.traffic }),
    host: () => host.facts,
    imageBytes: async () => (await keeper?.bytes()) ?? 0,
  });
  if (metrics) resources.use(metrics);

  const vms = resources.use(
    openVms({
      observers: metrics ? [metrics.observer] : [],
      ...{ provider: identity.id, sealingKey: provider.sealingKey, images },
      ...{ capacity: () => host.capacity(), prices, terms: termsOf(config) },
      ...{ closed: () => host.closed() ?? traffic?.closed(), refresh: () => host.refresh() },
      minimum: () => minimumOf(live.current),
      ...{ driver, store, host: machine, now, awake: clock.now, timers: clock, log },
      policy: () => policyOf(live.current),
      changed: () => link.offerChanged(),
      cut: (vmId, requestor, why) => relays.cut(vmId, requestor, why),
    }),
  );

  const { discovery } = config;
  const gate = new Gate({ provider: identity.id, discovery, now });
  const upgrade = { discovery, identity, epochs: provider.epochs, now };
  const relays = resources.use(
    new Relays({
      ...{ gate, upgrade, clock, log },
      graceMillis: config['relay-grace'] * 1000,
      budget: new Budget(config['relay-memory'] * MIB, config['relay-window'] * KIB),
      locate: (requestor, vm) => vms.queries.locate(requestor, vm),
      dial: (vmId, aborted) => vms.queries.dial(vmId, aborted),
    }),
  );
  const served = ({ method, millis, ...call }: Served) => {
    const level = method === 'GET' ? 'debug' : 'info';
    log[level]({ method, ...call, millis: Math.round(millis) }, 'request');
    metrics?.request({ method, millis, ...call });
  };
  const serve = createServe({ app: createApp({ gate, vms, log, served }), identity, now });
  let announced = false;
  const link = new Link({
    ...{ ...upgrade, timers: clock, log },
    random: () => Math.random(),
    offer: createOffer({
      ...{ provider, driver, facts, now, prices },
      isolation: () => isolation,
      name: () => live.current.name,
      capacity: () => host.capacity(),
      available: () => vms.available(),
      accepting: () => vms.closed() === undefined,
      images: () => images.list(),
    }),
    handlers: {
      request: serve,
      relayOpen: (message) => relays.open(message.session, requestOf(message)),
      relayResume: (session) => relays.resume(session),
      refuse: (request, error) => signedAnswer(answerOf(error), request, identity, now),
    },
    connected: (address) => {
      guests?.seenAs(address);
      connections += 1;
      if (announced) return;
      announced = true;
      const { name } = live.current;
      connected({ provider: identity.id, name, discovery, driver: driver.name });
    },
  });
  resources.defer(live.watch(() => link.offerChanged()));
  resources.defer(live.watch(() => relays.recheck()));

  const probing = {
    images,
    openDriver: (network: GuestNetwork, stateDir: string) => openDriver(config, network, stateDir),
  };
  const stopping = new AbortController();
  const controls = controlsOf({
    isolation: () => isolation,
    ...(guests?.network && { probe: (aborted: AbortSignal) => guests.probe(probing, aborted) }),
    ...{ provider: identity.id, live, link, driver, facts, host, traffic },
    ...{ vms, relays, prices, now },
    stop: () => stopping.abort(),
  });
  resources.use(await listenForOperator(dataDir, operatorListener(controls, log)));

  // Before anybody can ask: what was left open is taken up, what runs is adopted.
  await vms.reconcile();
  vms.prune();
  resources.use(startUpkeep({ vms, host, images: keeper, guests, traffic, log }));
  const ending = AbortSignal.any([signal, stopping.signal]);
  ending.addEventListener('abort', () => options.stopping?.(), { once: true });
  options.ready?.(identity.id);
  if (metrics) resources.use(await metrics.serve(log));
  await traffic?.look();
  if (guests?.network) isolation = await guests.prove(machine.bootId, probing, ending);
  await link.run(ending);
  log.info('stopped; guests go on running');
}

function guestOf({ id, phase, resources }: VmRecord): Guest {
  return { vmId: id, runningMiB: phase === 'running' ? resources.memoryMiB : 0 };
}

function countBy<Item>(items: readonly Item[], key: (item: Item) => string) {
  const groups = Map.groupBy(items, key);
  return Object.fromEntries([...groups].map(([name, members]) => [name, members.length]));
}
