/** Hostile parties at both WebSocket endpoints of a network whose honest ones must not notice. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadIdentity } from '../../cli/src/state/identity.ts';
import { pathsFrom } from '../../cli/src/state/paths.ts';
import type { RelayMode } from '../../discovery-worker/src/objects/relay/modes.ts';
import { golemFor, json } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';
import { Arena } from './arena.ts';
import {
  describeStep,
  stepsOf,
  Violation,
  type Attack,
  type Endpoint,
  type Step,
} from './attack.ts';
import { controlMessages } from './control/messages.ts';
import { controlOffers } from './control/offers.ts';
import { controlSockets } from './control/sockets.ts';
import { controlUpgrades } from './control/upgrades.ts';
import { isAgentDefect, isDiscoveryDefect, memoryOf, watchLog } from './machine.ts';
import { relayDials } from './relay/dials.ts';
import { relayEnds } from './relay/ends.ts';
import { relayFrames } from './relay/frames.ts';
import { Tally, type FuzzReport } from './report.ts';
import { upgrades } from './upgrades.ts';
import { startEcho, watchCommands, watchListing, type Witness } from './witnesses.ts';

export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly endpoints: readonly Endpoint[];
  readonly relayMode: RelayMode;
  /** A scratch folder with a short name. */
  readonly dir: string;
  /** Ends the run early and in order. */
  readonly signal: AbortSignal;
}

export const ATTACKS: Record<Endpoint, readonly Attack[]> = {
  control: [
    ...upgrades('control'),
    ...controlUpgrades,
    ...controlMessages,
    ...controlOffers,
    ...controlSockets,
  ],
  relay: [...upgrades('relay'), ...relayFrames, ...relayEnds, ...relayDials],
};

/** So many attacks at once: enough to meet each other, few enough for two cores. */
const LANES = 6;
/** Far above what honest parties need, so that attacks get behind the limiter; floods do not. */
const RATES = {
  connect: { perSecond: 100, burst: 100 },
  relay: { perSecond: 100, burst: 500 },
};
const LOOK_MILLIS = 500;
/**
 * How much memory may grow. Discovery: workerd keeps objects of its own for two minutes after their
 * last use, and each attack makes a few; after that it stays as it is, some 350 MiB above its
 * beginning. The agent: its sessions have 256 MiB together.
 */
const GROWTH_MIB = { discovery: 640, agent: 256 };

/** @throws {Violation} with the seed and the step that does it again */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { dir, relayMode } = options;
  await using stack = await startStack({
    ...{ providers: 1, driver: 'memory', dir, relayMode, rates: RATES },
    // Room for two VMs, however small this machine is.
    providerFlags: ['--reserve-cpus', '0', '--cpus', '2', '--reserve-memory', '0'],
  });
  const [provider] = stack.providers;
  if (!provider) throw new TypeError('a stack of one has one provider');
  const [honest, tenant] = await Promise.all(
    ['honest', 'tenant'].map((name) => rent(stack, join(dir, name))),
  );
  if (!honest || !tenant) throw new TypeError('two have rented');
  await using echo = await startEcho({ ...stack.env, GOLEM_HOME: honest.home }, 'web');
  const session = await sessionIn(provider.log);

  const over = new AbortController();
  const { discovery } = stack;
  const arena = new Arena({
    ...{ discovery, mode: relayMode, honest: { provider: provider.id, session } },
    tenant: { identity: tenant.identity, vm: 'web' },
    signal: over.signal,
  });
  const witnesses = {
    listing: watchListing(discovery, provider.id),
    commands: watchCommands(discovery, provider.id, honest.identity),
    'echoed bytes': echo,
  };
  return await play({ ...options, stack, arena, witnesses, over });
}

interface Play extends FuzzOptions {
  readonly stack: Stack;
  readonly arena: Arena;
  readonly witnesses: Readonly<Record<string, Witness>>;
  readonly over: AbortController;
}

async function play(options: Play): Promise<FuzzReport> {
  const { seconds, seed, endpoints, relayMode, signal, stack, arena, witnesses, over } = options;
  const tally = new Tally();
  const steps = stepsOf(
    endpoints.flatMap((endpoint) => ATTACKS[endpoint]),
    seed,
  );
  const running = new Map<number, Step>();
  let number = 0;
  const lookAtMachine = machineOf(stack);

  const lane = async () => {
    while (!over.signal.aborted) {
      const { value: step } = steps.next() as { value: Step };
      const mine = number++;
      running.set(mine, step);
      try {
        tally.add(step, await step.run(arena));
      } catch (cause) {
        if (!(cause instanceof Violation)) throw cause;
        throw new Violation(`seed ${seed}, step ${mine}: ${describeStep(step)}\n${cause.message}`, {
          cause,
        });
      }
      running.delete(mine);
    }
  };
  const watch = async (what: string, look: () => Promise<void>) => {
    try {
      await look();
    } catch (cause) {
      const during = [...running].map(([n, step]) => `  step ${n}: ${describeStep(step)}`);
      throw new Violation(`seed ${seed}, ${what}: ${String(cause)}, during\n${during.join('\n')}`, {
        cause,
      });
    }
  };
  const started = performance.now();
  const jobs = [
    ...Array.from({ length: LANES }, lane),
    ...Object.entries(witnesses).map(([name, witness]) =>
      watch(name, () => witness.watch(over.signal)),
    ),
    watch('processes', async () => {
      while (!over.signal.aborted) {
        lookAtMachine.look();
        await sleep(LOOK_MILLIS);
      }
      lookAtMachine.look();
    }),
  ];
  const stop = () => over.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const timer = setTimeout(stop, seconds * 1000);
  try {
    await Promise.all(jobs);
  } finally {
    clearTimeout(timer);
    stop();
    await Promise.allSettled(jobs);
  }
  return {
    ...{ relayMode, seed, steps: number, rows: tally.rows, memory: lookAtMachine.memory() },
    seconds: Math.round((performance.now() - started) / 100) / 10,
    witnesses: Object.fromEntries(
      Object.entries(witnesses).map(([name, { count, slowest }]) => [
        name,
        { count, slowestMillis: slowest },
      ]),
    ),
  };
}

/** Programs of the network, and what is in their logs. */
function machineOf(stack: Stack) {
  const [provider] = stack.providers;
  if (!provider) throw new TypeError('a stack of one has one provider');
  const pids = { discovery: stack.discoveryPid, agent: provider.pid };
  const logs = [
    watchLog(stack.discoveryLog, isDiscoveryDefect),
    watchLog(provider.log, isAgentDefect),
  ];
  const names = ['discovery', 'agent'] as const;
  const sizes = names.map((name) => {
    const first = memoryOf(name, pids[name]);
    return { name, first, most: first, bound: first + GROWTH_MIB[name] };
  });
  return {
    look: () => {
      for (const log of logs) log.look();
      for (const size of sizes) {
        size.most = Math.max(size.most, memoryOf(size.name, pids[size.name]));
        if (size.most > size.bound) {
          throw new Violation(`${size.name} has grown from ${size.first} to ${size.most} MiB`);
        }
      }
    },
    memory: () => Object.fromEntries(sizes.map(({ name, ...size }) => [name, size])),
  };
}

/** A requestor of its own, with a VM called `web`. */
async function rent(stack: Stack, home: string) {
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
  await json(golemFor(stack.env, home)('vm', 'create', 'web', ...spec, '-o', 'json'));
  return { home, identity: await loadIdentity(pathsFrom({ GOLEM_HOME: home }).key) };
}

/** The only session that there is, as the agent's log names it. */
async function sessionIn(log: string): Promise<string> {
  const [line] = (await readFile(log, 'utf8'))
    .split('\n')
    .filter((text) => text.includes('a session has begun'));
  const { session } = JSON.parse(line ?? '{}') as { session?: string };
  if (session === undefined) throw new Error('the agent has no session');
  return session;
}
