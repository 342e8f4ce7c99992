/** What a running agent says of itself to its operator. */
import type { Prices } from '@vm-on-golem/shared/money';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { LiveConfig } from '../config/live.ts';
import type { Driver, DriverFacts } from '../drivers/driver.ts';
import type { Link } from '../link/link.ts';
import type { Relays } from '../relay/relays.ts';
import { supervisorOf } from '../service/supervisor.ts';
import { VERSION } from '../version.ts';
import type { Vms } from '../vms/vms.ts';
import type { Controls } from './app.ts';
import type { Status } from './schemas.ts';

/** The parts of the agent that its operator sees and touches. */
export interface ControlledParts {
  readonly provider: string;
  readonly live: LiveConfig;
  readonly link: Pick<Link, 'phase' | 'since'>;
  readonly driver: Pick<Driver, 'name'>;
  readonly facts: DriverFacts;
  readonly vms: Pick<Vms, 'available' | 'closed'>;
  readonly relays: Pick<Relays, 'size'>;
  readonly capacity: () => Amounts;
  readonly prices: () => Prices;
  readonly now: () => number;
  readonly stop: () => void;
}

export function controlsOf(parts: ControlledParts): Controls {
  const startedAt = parts.now();
  return {
    status: () => statusOf(parts, startedAt),
    reload: () => parts.live.reload(),
    stop: parts.stop,
  };
}

function statusOf(parts: ControlledParts, startedAt: number): Status {
  const { live, link, driver, facts, vms } = parts;
  const config = live.current;
  return {
    version: VERSION,
    pid: process.pid,
    startedAt: isoTime(startedAt),
    supervisor: supervisorOf(process.env, process.pid),
    provider: parts.provider,
    name: config.name,
    discovery: config.discovery,
    dataDir: config['data-dir'],
    logFile: config['log-file'] ?? null,
    link: { phase: link.phase, since: link.since === undefined ? null : isoTime(link.since) },
    driver: driver.name,
    accelerator: facts.accelerator,
    isolation: facts.isolation,
    closed: vms.closed() ?? null,
    capacity: parts.capacity(),
    available: vms.available(),
    prices: parts.prices(),
    sessions: parts.relays.size,
    waiting: [...live.waiting],
  };
}

function isoTime(millis: number): string {
  return new Date(millis).toISOString();
}
