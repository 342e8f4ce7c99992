/** What the agent adds to what it runs: to a creation, to a boot, to an idle machine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Vm } from '@vm-on-golem/shared/vm';
import { createMemoryDriver } from '../../agent/src/drivers/memory/driver.ts';
import { chooseAccelerator, readMachineFacts } from '../../agent/src/drivers/qemu/accelerator.ts';
import { openCatalogue } from '../../agent/src/images/catalogue.ts';
import { residentBytes } from '../../test/load/processes.ts';
import { atMost, median, quantile, round, table, type Report } from '../lib/report.ts';
import { cpuSeconds } from '../lib/usage.ts';
import { ByHand, Rented } from './boot.ts';
import { bareGuest, offerOf, SIZE, Tenant } from './creations.ts';
import { installed, startAgentNetwork, type AgentNetwork } from './network.ts';

export interface AgentBenchOptions {
  /** Boots of real guests each way. */
  readonly runs: number;
  /** How long the agent is watched doing nothing. */
  readonly idleSeconds: number;
}

const CREATIONS = 40;
const GUESTS = 50;
const LAUNCH_MILLIS = 60_000;
/** What was just done is not what idleness costs. */
const SETTLE_MILLIS = 10_000;
const MEMORY_FLAGS = [
  ...['--driver', 'memory', '--cpus', '64', '--memory', '64G', '--storage', '1000'],
  ...['--max-vms', '200'],
];

export async function benchAgent(options: AgentBenchOptions): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), 'b-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));

  const creations = await measureCreations(join(dir, 'c'));
  const idle = await measureIdle(join(dir, 'i'), options.idleSeconds);
  const boots = await measureBoots(join(dir, 'q'), options.runs);

  const added = median(creations.agent) - median(creations.bare);
  const later = median(boots.rented) - median(boots.byHand);
  const row = (name: string, values: readonly number[], peer: readonly number[]) => [
    ...[name, median(values).toFixed(1), quantile(values, 0.9).toFixed(1)],
    ...[(median(values) - median(peer)).toFixed(1), (median(values) / median(peer)).toFixed(2)],
  ];
  console.log(
    table(
      ['', 'p50 ms', 'p90 ms', 'more ms', 'times'],
      [
        row('create, memory driver alone', creations.bare, creations.bare),
        row('create, through discovery and agent', creations.agent, creations.bare),
        row('first login, QEMU and ssh by hand', boots.byHand, boots.byHand),
        row('first login, golem vm create and ssh', boots.rented, boots.byHand),
      ],
    ),
  );
  console.log(
    `\n${table(
      ['agent', 'RSS MiB', 'CPU %'],
      [
        ['idle', idle.empty.rssMiB.toFixed(1), idle.empty.cpuPercent.toFixed(2)],
        [`idle, ${GUESTS} guests`, idle.full.rssMiB.toFixed(1), idle.full.cpuPercent.toFixed(2)],
      ],
    )}\n\n${GUESTS} creates at once: ${idle.burst.millis.toFixed(0)} ms, ${idle.burst.wrong} lost or doubled\n`,
  );
  return {
    bench: 'agent',
    figures: {
      ...options,
      create: {
        bareMillis: round(median(creations.bare)),
        agentMillis: round(median(creations.agent)),
      },
      login: {
        byHandMillis: round(median(boots.byHand)),
        golemMillis: round(median(boots.rented)),
      },
      idle,
    },
    targets: [
      atMost('create: ms more than the driver', added, 100),
      atMost('first login: ms more than QEMU by hand', later, 700),
      atMost('RSS idle, MiB', idle.empty.rssMiB, 90),
      atMost(`RSS with ${GUESTS} guests, MiB`, idle.full.rssMiB, 150),
      atMost('CPU idle, %', idle.empty.cpuPercent, 0.5),
      atMost(`${GUESTS} creates at once: lost or doubled`, idle.burst.wrong, 0),
    ],
  };
}

async function measureCreations(dir: string) {
  await using network = await startAgentNetwork({ dir, flags: MEMORY_FLAGS });
  await using driver = await createMemoryDriver({ stateDir: join(dir, 'bare') });
  const tenant = await Tenant.of(network);
  const [bare, agent]: [number[], number[]] = [[], []];
  for (let n = -5; n < CREATIONS; n += 1) {
    const spec = await bareGuest();
    const launch = performance.now();
    await driver.launch(spec, {
      signal: AbortSignal.timeout(LAUNCH_MILLIS),
      onStage: () => undefined,
    });
    const create = performance.now();
    const vm = await tenant.create(`vm-${n + 5}`);
    const end = performance.now();
    await driver.destroy(spec.vmId);
    await tenant.destroy(vm);
    if (n < 0) continue;
    bare.push(create - launch);
    agent.push(end - create);
  }
  return { bare, agent };
}

async function measureIdle(dir: string, seconds: number) {
  await using network = await startAgentNetwork({ dir, flags: MEMORY_FLAGS });
  const empty = await watch(network, seconds);
  const tenant = await Tenant.of(network);
  const started = performance.now();
  const vms = await Promise.all(
    Array.from({ length: GUESTS }, (_, n) => tenant.create(`vm-${n + 1}`)),
  );
  const burst = {
    millis: performance.now() - started,
    wrong: await countWrong(tenant, vms, network),
  };
  const full = await watch(network, seconds);
  return { empty, full, burst };
}

/** VMs that are not as often as they were asked for, and units that are given out wrongly. */
async function countWrong(tenant: Tenant, vms: readonly Vm[], network: AgentNetwork) {
  const ids = new Set(vms.map(({ id }) => id));
  const listed = new Set((await tenant.list()).map(({ id }) => id));
  const lost = [...ids].filter((id) => !listed.has(id)).length + (GUESTS - ids.size);
  const extra = [...listed].filter((id) => !ids.has(id)).length;
  // The offer follows a creation within a second.
  await sleep(1000);
  const after = (await offerOf(network)).available;
  const taken = { cpus: 64 - after.cpus, memory: 64 * 1024 - after.memoryMiB };
  const misgiven =
    Math.abs(taken.cpus - GUESTS * SIZE.cpus) + Math.abs(taken.memory / SIZE.memoryMiB - GUESTS);
  return lost + extra + misgiven;
}

async function watch({ pid }: AgentNetwork, seconds: number) {
  await sleep(SETTLE_MILLIS);
  const before = cpuSeconds(pid);
  const started = performance.now();
  const rss: number[] = [];
  for (let n = 0; n < seconds; n += 1) {
    await sleep(1000);
    rss.push(residentBytes(pid) / 2 ** 20);
  }
  const passed = (performance.now() - started) / 1000;
  return {
    rssMiB: round(median(rss)),
    cpuPercent: round((100 * (cpuSeconds(pid) - before)) / passed),
  };
}

async function measureBoots(dir: string, runs: number) {
  const images =
    process.env['GOLEM_IMAGE_CACHE'] ?? join(import.meta.dirname, '../../.cache/images');
  await using network = await startAgentNetwork({
    dir,
    flags: [
      '--driver',
      'qemu',
      '--allow-emulation',
      '--network',
      'restricted',
      '--only-local-images',
      '--image-dir',
      images,
    ],
  });
  const catalogue = await openCatalogue({
    ...{ cacheDir: join(dir, 'images'), localDirs: [images], official: false },
  });
  const [first] = catalogue.list();
  if (!first) throw new Error('there is no image: npm run image');
  const image = await catalogue.resolve(first.id, AbortSignal.timeout(60_000));
  const hand = new ByHand(dir, image);
  const golem = new Rented(network.discovery, join(dir, 'golem'), await installed('cli', dir));
  const accelerator = chooseAccelerator(await readMachineFacts());
  const byHand = () => hand.boot(accelerator === 'tcg' ? 'tcg,thread=multi' : accelerator);
  const times: { byHand: number[]; rented: number[] } = { byHand: [], rented: [] };
  await byHand();
  await golem.boot();
  for (let run = 1; run <= runs; run += 1) {
    console.error(`boot ${run} of ${runs}`);
    times.byHand.push(await byHand());
    times.rented.push(await golem.boot());
  }
  return times;
}
