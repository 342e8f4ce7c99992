/** What a running agent says of itself to its operator, and what it does for them. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Prices } from '@vm-on-golem/shared/money';
import { trafficLimitsOf } from '../config/config.ts';
import { explainSources } from '../config/explain.ts';
import type { LiveConfig } from '../config/live.ts';
import type { Driver, DriverFacts } from '../drivers/driver.ts';
import type { HostWatch } from '../host/watch.ts';
import type { SelfTestResult } from '../isolation/destinations.ts';
import type { Link } from '../link/link.ts';
import { logFileOf } from '../log/log.ts';
import type { Relays } from '../relay/relays.ts';
import { supervisorOf } from '../service/supervisor.ts';
import type { TrafficKeeper } from '../traffic/keeper.ts';
import { VERSION } from '../version.ts';
import type { Vms } from '../vms/vms.ts';
import type { Controls } from './app.ts';
import type { ModeView, OrphanViews, Status } from './schemas.ts';

/** The parts of the agent that its operator sees and touches. */
export interface ControlledParts {
  readonly provider: string;
  readonly live: LiveConfig;
  readonly link: Pick<Link, 'phase' | 'since'>;
  readonly driver: Pick<Driver, 'name'>;
  readonly facts: DriverFacts;
  /** What guests are kept from, as far as it was seen. */
  readonly isolation: () => DriverFacts['isolation'];
  /** Sees it again, from inside a guest; none where the driver brings a network of its own. */
  readonly probe?: (signal: AbortSignal) => Promise<SelfTestResult>;
  readonly vms: Pick<Vms, 'available' | 'closed' | 'operator' | 'ledger'>;
  readonly relays: Pick<Relays, 'size'>;
  readonly traffic: Pick<TrafficKeeper, 'used'> | undefined;
  readonly host: Pick<HostWatch, 'capacity' | 'facts'>;
  readonly prices: () => Prices;
  readonly now: () => number;
  readonly stop: () => void;
}

export function controlsOf(parts: ControlledParts): Controls {
  const { live, now } = parts;
  const { operator } = parts.vms;
  const startedAt = now();
  return {
    status: () => statusOf(parts, startedAt),
    config: () => ({
      file: live.sources.file,
      settings: explainSources(live.sources, live.waiting),
    }),
    reload: () => live.reload(),
    stop: parts.stop,
    pause: () => {
      operator.pause();
      return modeOf(parts);
    },
    resume: () => {
      operator.resume();
      return modeOf(parts);
    },
    drain: ({ by, reason }) => {
      operator.drain({ by: Date.parse(by), reason });
      return modeOf(parts);
    },
    probe: async (signal) => {
      if (!parts.probe)
        throw new GolemError('unsupported', 'This driver has a network of its own.');
      const { rows, passed } = await parts.probe(signal);
      return { rows: [...rows], passed };
    },
    vms: () => operator.vms(),
    evict: (ref, reason) => operator.evict(ref, reason),
    earnings: ({ by, from, to }) => {
      const { rows, total } = parts.vms.ledger.earnings({
        by,
        ...(from === undefined ? {} : { from: Date.parse(from) }),
        ...(to === undefined ? {} : { to: Date.parse(to) }),
      });
      return { rows: [...rows], total };
    },
    orphans: () => orphansOf(parts),
    removeOrphan: (vmId) => operator.removeOrphan(vmId),
  };
}

function statusOf(parts: ControlledParts, startedAt: number): Status {
  const { live, link, driver, facts, vms } = parts;
  const config = live.current;
  const { load, used } = parts.host.facts;
  const logFile = logFileOf(config);
  return {
    version: VERSION,
    pid: process.pid,
    startedAt: isoTime(startedAt),
    supervisor: supervisorOf(process.env, process.pid),
    provider: parts.provider,
    name: config.name,
    discovery: config.discovery,
    dataDir: config['data-dir'],
    logFile: logFile === '-' ? null : logFile,
    link: { phase: link.phase, since: link.since === undefined ? null : isoTime(link.since) },
    driver: driver.name,
    accelerator: facts.accelerator,
    isolation: parts.isolation(),
    hypervisorReachable: vms.operator.hypervisorReachable,
    mode: modeOf(parts),
    closed: vms.closed() ?? null,
    capacity: parts.host.capacity(),
    available: vms.available(),
    prices: parts.prices(),
    vms: vms.operator.vms(),
    orphans: orphansOf(parts),
    earnings: recentEarnings(parts),
    load: { cpu: load.cpu ?? null, memory: load.memory ?? null, disk: load.disk ?? null },
    traffic: {
      received: used.receivedBytes,
      sent: used.sentBytes,
      month: parts.traffic
        ? { used: parts.traffic.used.bytes, limit: trafficLimitsOf(config).monthBytes ?? null }
        : null,
    },
    sessions: parts.relays.size,
    waiting: [...live.waiting],
  };
}

function modeOf({ vms }: ControlledParts): ModeView {
  const { mode } = vms.operator;
  return mode.kind === 'draining' ? { ...mode, by: isoTime(mode.by) } : mode;
}

function orphansOf({ vms }: ControlledParts): OrphanViews {
  return vms.operator.orphans().map(({ vmId, state, firstSeen, removedAt }) => ({
    ...{ vmId, state, firstSeen: isoTime(firstSeen) },
    removedAt: removedAt === undefined ? null : isoTime(removedAt),
  }));
}

/** Of this day and this month of UTC, as the books know no other. */
function recentEarnings({ vms, now }: ControlledParts): Status['earnings'] {
  const today = new Date(now());
  today.setUTCHours(0, 0, 0, 0);
  const since = (from: number) => vms.ledger.earnings({ by: 'month', from }).total;
  const day = since(today.getTime());
  today.setUTCDate(1);
  return { today: day, month: since(today.getTime()) };
}

function isoTime(millis: number): string {
  return new Date(millis).toISOString();
}
