/** What the agent tells a Prometheus. Loaded when somebody wants it: the library takes some MiB. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Amounts } from '@vm-on-golem/shared/offer';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Served } from '../api/observed.ts';
import type { HostFacts } from '../host/watch.ts';
import type { LinkPhase } from '../link/state.ts';
import type { Observer } from '../vms/recorder.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const LINK_PHASES: readonly LinkPhase[] = [
  ...(['connecting', 'connected', 'draining', 'backing-off', 'stopped'] as const),
];
/** From a memory guest to a cloud image under emulation. */
const DURATION_SECONDS = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600];
/** Coarse enough to cost an idle agent nothing that could be measured. */
const LAG_RESOLUTION_MILLIS = 100;

/** Asked at every scrape. */
export interface MetricsSources {
  readonly facts: { readonly version: string; readonly provider: string; readonly driver: string };
  readonly link: () => { readonly phase: LinkPhase; readonly connections: number };
  readonly accepting: () => boolean;
  readonly capacity: () => Amounts;
  readonly available: () => Amounts;
  /** How many VMs there are in each phase. */
  readonly phases: () => Readonly<Record<string, number>>;
  readonly relays: () => { readonly sessions: number; toGuests: number; fromGuests: number };
  readonly host: () => HostFacts;
  readonly imageBytes: () => Promise<number>;
}

export interface Metrics extends Disposable {
  readonly contentType: string;
  /** The text of one scrape. */
  text(): Promise<string>;
  request(call: Served): void;
  /** Counts operations as they begin and end. */
  readonly observer: Observer;
}

export function openMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MILLIS });
  lag.enable();
  gauges(registry, sources);
  registry.registerMetric(
    new Gauge({
      ...{ name: 'golem_event_loop_lag_seconds', registers: [] },
      help: '99th percentile of how late the event loop was since the last scrape.',
      collect() {
        this.set(Math.max(0, lag.percentile(99) / 1e9 - LAG_RESOLUTION_MILLIS / 1000));
        lag.reset();
      },
    }),
  );
  const requests = new Counter({
    ...{ name: 'golem_requests_total', registers, labelNames: ['method', 'route', 'status'] },
    help: 'Requests of requestors that were answered.',
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    request: ({ method, route, status }) => requests.inc({ method, route, status }),
    observer: operationObserver(registers),
    [Symbol.dispose]: () => lag.disable(),
  };
}

function operationObserver(registers: Registry[]): Observer {
  const labelNames = ['kind', 'outcome'];
  const ended = new Counter({
    ...{ name: 'golem_operations_total', registers, labelNames },
    help: 'Operations on VMs that have ended.',
  });
  const took = new Histogram({
    ...{ name: 'golem_operation_duration_seconds', registers, labelNames },
    ...{ help: 'How long operations took.', buckets: DURATION_SECONDS },
  });
  const begun = new Map<string, number>();
  return {
    happened({ vmId, kind, at }) {
      const [, operation, end] = /^(.+)\.(done|failed)$/.exec(kind) ?? [];
      if (operation === undefined) {
        begun.set(`${vmId} ${kind}`, at);
        return;
      }
      const labels = { kind: operation, outcome: end === 'done' ? 'succeeded' : 'failed' };
      ended.inc(labels);
      // One that was begun before the agent was started took nobody knows how long.
      const since = begun.get(`${vmId} ${operation}`);
      if (since !== undefined) took.observe(labels, (at - since) / 1000);
      begun.delete(`${vmId} ${operation}`);
    },
    changed({ after }) {
      if (after.goneAt === null) return;
      for (const key of begun.keys()) if (key.startsWith(`${after.id} `)) begun.delete(key);
    },
  };
}

function gauges(registry: Registry, sources: MetricsSources): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        const value = read();
        if (value !== undefined) this.set(value);
      },
    });
  /** Read elsewhere, where it only rises. */
  const counter = (name: string, help: string, read: () => Readonly<Record<string, number>>) =>
    new Counter({
      ...{ name, help, registers, labelNames: ['direction'] },
      collect() {
        this.reset();
        for (const [direction, value] of Object.entries(read())) this.inc({ direction }, value);
      },
    });
  const single = (name: string, help: string, read: () => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(read());
      },
    });

  new Gauge({
    ...{ name: 'golem_provider_info', help: 'The agent itself.', registers },
    labelNames: ['version', 'provider', 'driver'],
  }).set({ ...sources.facts }, 1);
  registry.registerMetric(
    new Gauge({
      ...{ name: 'golem_link_state', registers: [], labelNames: ['state'] },
      help: 'The connection to discovery: 1 for the state that it is in.',
      collect() {
        const { phase } = sources.link();
        for (const state of LINK_PHASES) this.set({ state }, state === phase ? 1 : 0);
      },
    }),
  );
  single('golem_link_connections_total', 'Times that discovery has listed this provider.', () => {
    return sources.link().connections;
  });
  gauge('golem_accepting', 'Whether new VMs are taken.', () => (sources.accepting() ? 1 : 0));
  registry.registerMetric(
    new Gauge({
      ...{ name: 'golem_vms', help: 'VMs by phase.', registers: [], labelNames: ['phase'] },
      collect() {
        this.reset();
        for (const [phase, count] of Object.entries(sources.phases())) this.set({ phase }, count);
      },
    }),
  );
  amounts(gauge, 'capacity', 'shared', sources.capacity);
  amounts(gauge, 'available', 'not rented out', sources.available);

  gauge('golem_relay_sessions', 'SSH sessions.', () => sources.relays().sessions);
  counter('golem_relay_bytes_total', 'What SSH sessions have carried.', () => {
    const { toGuests, fromGuests } = sources.relays();
    return { to_guests: toGuests, from_guests: fromGuests };
  });
  counter('golem_guest_network_bytes_total', 'Traffic of guests with the Internet.', () => {
    const { receivedBytes, sentBytes } = sources.host().used;
    return { received: receivedBytes, sent: sentBytes };
  });
  single('golem_guest_cpu_seconds_total', 'CPU time of guests.', () => {
    return sources.host().used.cpuSeconds;
  });
  gauge('golem_host_cpu_ratio', 'CPU time of the machine that was not its guests.', () => {
    const { cpu } = sources.host().load;
    return cpu === undefined ? undefined : cpu / 100;
  });
  gauge('golem_host_memory_available_bytes', 'Memory that the machine could give.', () => {
    return sources.host().state.availableMemoryMiB * MIB;
  });
  gauge('golem_disk_free_bytes', 'Free on the disk of the guests.', () => {
    return sources.host().state.freeDiskBytes;
  });
  registry.registerMetric(
    new Gauge({
      ...{ name: 'golem_image_cache_bytes', help: 'What kept images take.', registers: [] },
      async collect() {
        this.set(await sources.imageBytes());
      },
    }),
  );
  gauge('process_resident_memory_bytes', 'Memory of the agent.', () => process.memoryUsage.rss());
  single('process_cpu_seconds_total', 'CPU time of the agent.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
}

function amounts(
  gauge: (name: string, help: string, read: () => number) => void,
  what: string,
  words: string,
  read: () => Amounts,
): void {
  gauge(`golem_${what}_cpus`, `CPUs that are ${words}.`, () => read().cpus);
  gauge(`golem_${what}_memory_bytes`, `Memory that is ${words}.`, () => read().memoryMiB * MIB);
  gauge(`golem_${what}_storage_bytes`, `Disk that is ${words}.`, () => read().storageGiB * GIB);
  gauge(
    `golem_${what}_vms`,
    `VMs that there ${what === 'capacity' ? 'may be' : 'is room for'}.`,
    () => {
      return read().vms;
    },
  );
}
