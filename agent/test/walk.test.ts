/**
 * An agent is killed with SIGKILL at every point of every operation: around each commit of its store
 * and each step of its driver. Whatever was being done, the next agent brings it to its end.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Accepted } from '@vm-on-golem/shared/api';
import { generatePrivateJwk, openIdentity, type PrivateJwk } from '@vm-on-golem/shared/keys';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import * as z from 'zod';
import { DriverError } from '../src/drivers/driver.ts';
import { createMemoryDriver } from '../src/drivers/memory/driver.ts';
import { Requestor, scratchFolder, startProvider, type TestProvider } from './provider.ts';
import { prepare, SCENARIOS, type Outcome, type Scenario } from './walk/scenarios.ts';
import type { WorkerArguments } from './walk/worker.ts';

/** One for each core that this has to fit on. */
const AT_ONCE = 2;
const IDEMPOTENCY_KEY = 'the-command-of-the-walk';
const signal = new AbortController().signal;

let cleanup: AsyncDisposableStack;
let dir: string;
let worker: string;

/** In one file it starts four times as fast, which is what there are so many of. */
beforeAll(async () => {
  worker = join(await mkdtemp(join(tmpdir(), 'golem-walk-')), 'worker.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'walk', 'worker.ts')],
    ...{ outfile: worker, bundle: true, platform: 'node', target: 'node24', format: 'esm' },
    // CommonJS packages inside an ES module bundle call `require` for Node's own modules.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); const __dirname = import.meta.dirname;",
    },
    external: ['cpu-features', '*.node', 'bufferutil', 'utf-8-validate'],
    logLevel: 'warning',
  });
});
afterAll(() => rm(dirname(worker), { recursive: true }));

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

const walked = { points: 0, ofRecoveries: 0 };
afterAll(() => {
  const { points, ofRecoveries } = walked;
  const kills = `walked ${points} points of ${SCENARIOS.length} operations`;
  console.log(`${kills}, ${ofRecoveries} of them while an earlier kill was being mended`);
});

/** A folder as it is before the operation. */
interface Base {
  readonly path: string;
  readonly jwk: PrivateJwk;
  /** Id of `web`, if there is one already. */
  readonly vm: string;
  /** Ids of VMs that must not notice anything. */
  readonly others: readonly string[];
  readonly uptime: number;
}

async function makeBase(scenario: Scenario): Promise<Base> {
  const path = join(dir, 'base');
  const provider = await startProvider({ dir: path, terms: { leaseMaxMillis: 1e10 } });
  const jwk = await generatePrivateJwk();
  const alice = new Requestor(await openIdentity('requestor', jwk), provider);
  await writeFile(join(path, 'alice.json'), JSON.stringify(jwk), { mode: 0o600 });
  const bob = await Requestor.of(provider);
  const others = [];
  for (const name of ['other', 'asleep']) {
    const { id } = await bob.running(name);
    // Theirs is not the time that passes.
    provider.store.vms.update(id, { leaseUntil: 1e15 });
    others.push(id);
    if (name === 'asleep') await bob.done('POST', `/v1/providers/${provider.id}/vms/${id}/stop`);
  }
  await prepare(scenario, provider, alice);
  const vm = provider.store.vms.byName(alice.id, 'web')?.id ?? 'web';
  await provider[Symbol.asyncDispose]();
  if (scenario.rebooted) {
    for (const { vmId } of await provider.driver.list()) {
      await provider.driver.stop(vmId, { graceMs: 0, signal });
    }
  }
  return { path, jwk, vm, others, uptime: provider.clock.uptime() };
}

async function breaks(_vmId: string, stage: string): Promise<void> {
  if (stage === 'boot') throw new DriverError('failed', 'It does not boot.');
}

/** @returns the points that were passed, or undefined when it was killed */
async function live(args: WorkerArguments): Promise<string[] | undefined> {
  const child = spawn(process.execPath, [worker, JSON.stringify(args)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const out: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  const [code, killedBy] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  if (killedBy === 'SIGKILL') return undefined;
  if (code !== 0) throw new Error(`the agent ended with ${code}`);
  return JSON.parse(Buffer.concat(out).toString()) as string[];
}

/** What must be true of a folder whose agent was killed anywhere, once the next one has taken it up. */
async function check(scenario: Scenario, base: Base, path: string): Promise<void> {
  const ran = await runsIn(path, base);
  await using provider = await startProvider({
    ...(scenario.broken ? { faults: { launch: breaks } } : {}),
    dir: path,
    uptime: () => base.uptime + performance.now(),
    passed: scenario.passed ?? 0,
    ...(scenario.rebooted ? { bootId: 'boot-2' } : {}),
  });
  const alice = new Requestor(await openIdentity('requestor', base.jwk), provider);
  await provider.vms.operations.idle();
  await checkSettled(provider, scenario, base);
  const wasAccepted = isAccepted(scenario, provider);
  expect(await outcomeOf(provider, base)).toBe(
    wasAccepted ? endOf(scenario, provider) : scenario.otherwise,
  );
  // A guest that runs is a tenant's, whether anybody was told yet or not.
  if (ran && scenario.name === 'create') expect(await outcomeOf(provider, base)).toBe('running');

  // Asked again, it is answered as before, or done now: never done twice.
  const created = await askAgain(scenario, provider, alice, base);
  scenario.operator?.(provider);
  await provider.vms.operations.idle();
  await checkSettled(provider, scenario, base);
  const id = created ?? base.vm;
  expect(await outcomeOf(provider, { ...base, vm: id })).toBe(endOf(scenario, provider));
  const { resources, snapshots } = scenario;
  if (resources) expect(provider.store.vms.get(id)).toMatchObject({ resources, growing: null });
  if (snapshots) {
    const names = (await provider.driver.snapshots(id)).map(({ name }) => name);
    expect(names).toEqual(snapshots);
  }
}

/** Whether there was a guest of `web` that ran when the agent was killed. */
async function runsIn(path: string, { others }: Base): Promise<boolean> {
  await using driver = await createMemoryDriver({ stateDir: join(path, 'guests') });
  const guests = await driver.list();
  return guests.some(({ vmId, state }) => state === 'running' && !others.includes(vmId));
}

/** Nothing leaks, nothing is open, nobody else has noticed anything. */
async function checkSettled(
  { store, driver }: TestProvider,
  { all }: Scenario,
  { others }: Base,
): Promise<void> {
  expect(store.operations.running()).toEqual([]);
  const vms = store.vms.live();
  const guests = new Map((await driver.list()).map(({ vmId, state }) => [vmId, state]));
  expect(Object.fromEntries(vms.map(({ id, phase }) => [id, phase]))).toEqual(
    Object.fromEntries(guests),
  );
  const sum = (of: (vm: (typeof vms)[number]) => number) =>
    vms.reduce((all, vm) => all + of(vm), 0);
  expect(store.vms.taken()).toEqual({
    cpus: sum(({ resources }) => resources.cpus),
    memoryMiB: sum(({ resources }) => resources.memoryMiB),
    storageGiB: sum(({ resources }) => resources.storageGiB),
    vms: vms.length,
  });
  const [ran = 'running', rested = 'stopped'] = all ? [all, all] : [];
  const states = others.map((id) => guests.get(id) ?? 'gone');
  // A drain that is cancelled brings back what ran.
  expect(states).toEqual(
    all === 'stopped' && states[0] === 'running' ? ['running', 'stopped'] : [ran, rested],
  );
  checkBooks(store);
}

const meterRow = z.object({
  vm: z.number(),
  id: z.string(),
  from_at: z.number(),
  running: z.number(),
});
const usageRow = z.object({ vm: z.number(), from_at: z.number(), to_at: z.number() });
const eventRow = z.object({ vm_id: z.string(), n: z.number(), kind: z.string() });
const operationRow = z.object({ vm_id: z.string(), kind: z.string(), state: z.string() });

/** No second is charged twice or lost, and no operation is missing from a VM's history. */
function checkBooks({ db, vms }: TestProvider['store']): void {
  const rows = <Row extends z.ZodType>(sql: string, row: Row) =>
    db.all(sql).map((each) => row.parse(each));
  const meters = rows(
    'SELECT m.vm, u.id, m.from_at, m.running FROM usage_meters m JOIN usage_vms u USING (vm)',
    meterRow,
  );
  const usage = rows('SELECT vm, from_at, to_at FROM usage ORDER BY vm, from_at', usageRow);
  for (const [vm, intervals] of Map.groupBy(usage, ({ vm }) => vm)) {
    const ends = intervals.map(({ to_at: to }) => to);
    const begins = intervals.map(({ from_at: from }) => from);
    const meter = meters.find((each) => each.vm === vm);
    expect([...begins.slice(1), ...(meter ? [meter.from_at] : [ends.at(-1)])]).toEqual(ends);
  }
  expect(Object.fromEntries(meters.map(({ id, running }) => [id, running === 1]))).toEqual(
    Object.fromEntries(vms.live().map(({ id, phase }) => [id, phase === 'running'])),
  );
  const events = rows('SELECT vm_id, n, kind FROM vm_events ORDER BY vm_id, n', eventRow);
  const operations = rows('SELECT vm_id, kind, state FROM operations', operationRow);
  for (const [vm, done] of Map.groupBy(operations, (operation) => operation.vm_id)) {
    const history = events.filter((event) => event.vm_id === vm);
    expect(history.map(({ n }) => n)).toEqual(history.map((_, index) => index + 1));
    const kinds = history.map(({ kind }) => kind);
    const ended = done.map(
      ({ kind, state }) => `${kind}.${state === 'failed' ? 'failed' : 'done'}`,
    );
    const told = (kind: string) => kinds.filter((each) => each === kind).length;
    for (const kind of [...done.map(({ kind }) => kind), ...ended]) {
      expect(told(kind)).toBe(
        [...done.map(({ kind }) => kind), ...ended].filter((each) => each === kind).length,
      );
    }
  }
}

async function outcomeOf({ store, driver }: TestProvider, { vm }: Base): Promise<Outcome> {
  const found = store.vms.live().find(({ id, name }) => id === vm || name === vm);
  if (!found) return 'gone';
  return (await driver.inspect(found.id)).state as Outcome;
}

/** Whether the operation was in the store when the agent was killed. */
function isAccepted({ request, isDone }: Scenario, provider: TestProvider): boolean {
  if (isDone) return isDone(provider);
  if (!request) return true;
  const key = 'SELECT 1 FROM idempotency WHERE key = ?';
  return provider.store.db.get(key, IDEMPOTENCY_KEY) !== undefined;
}

/** A creation that was cut off before its guest ran is rolled back: that is an end as well. */
function endOf({ name, after }: Scenario, { store }: TestProvider): Outcome {
  if (name !== 'create') return after;
  const failed = store.db.get(
    `SELECT 1 FROM operations WHERE kind = 'create' AND state = 'failed'`,
  );
  return failed === undefined ? after : 'gone';
}

/** @returns the id of the VM of a creation */
async function askAgain(
  { name, request, next }: Scenario,
  provider: TestProvider,
  alice: Requestor,
  base: Base,
): Promise<string | undefined> {
  if (!request) return undefined;
  const { method, path, body } = request(provider.id, base.vm);
  const options = {
    idempotencyKey: IDEMPOTENCY_KEY,
    ...(body === undefined ? {} : { body }),
  };
  const first = await alice.call(method, path, options);
  expect(first.status).toBe(name.startsWith('renewal') ? 200 : 202);
  const second = await alice.call(method, path, options);
  expect(second.answer.body).toBe(first.answer.body);
  const { operation, vm } = first.body as Accepted;
  if (operation !== undefined) {
    const { state, vm } = await alice.follow(operation);
    // Only a creation may be given up.
    const isGivenUp = name.startsWith('create') && vm === null;
    expect(state).toBe(isGivenUp ? 'failed' : 'succeeded');
  }
  if (next) {
    const { method, path } = next(provider.id);
    const again = await alice.call(method, path, { idempotencyKey: `${IDEMPOTENCY_KEY}-2` });
    // What was rolled back is not there to be destroyed.
    expect([202, 404]).toContain(again.status);
    await provider.vms.operations.idle();
  }
  return name.startsWith('create') ? vm.id : undefined;
}

/** Kills an agent that begins in `from` at each of its points, and looks what the next one makes of it. */
async function walk(
  scenario: Scenario,
  base: Base,
  from: string,
  points: readonly string[],
  run: Omit<WorkerArguments, 'dir' | 'killAt'>,
): Promise<void> {
  const numbers = points.map((_, index) => index + 1);
  const next = async (): Promise<void> => {
    for (let killAt = numbers.shift(); killAt !== undefined; killAt = numbers.shift()) {
      const path = `${from}-${killAt}`;
      await cp(from, path, { recursive: true });
      const where = `killed at ${killAt} of ${points.length}: ${points[killAt - 1]}`;
      const survived = await live({ ...run, dir: path, killAt });
      if (survived) throw new Error(`not ${where}`);
      await check(scenario, base, path).catch((error: unknown) => {
        throw new Error(where, { cause: error });
      });
      await rm(path, { recursive: true });
      walked.points += 1;
      if (run.recovers) walked.ofRecoveries += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/** @returns the points that an agent passes that is not killed */
async function enumerate(
  scenario: Scenario,
  base: Base,
  from: string,
  run: Omit<WorkerArguments, 'dir' | 'killAt'>,
): Promise<string[]> {
  const whole = `${from}-whole`;
  await cp(from, whole, { recursive: true });
  const points = await live({ ...run, dir: whole });
  if (!points) throw new Error('it was killed where nobody asked for it');
  await check(scenario, base, whole);
  return points;
}

test.each(SCENARIOS)(
  '$name',
  async (scenario) => {
    const base = await makeBase(scenario);
    const { uptime, vm } = base;
    const run = { scenario: scenario.name, uptime, vm, idempotencyKey: IDEMPOTENCY_KEY };
    const points = await enumerate(scenario, base, base.path, run);
    expect(points.length).toBeGreaterThan(10);
    await walk(scenario, base, base.path, points, run);

    if (!scenario.twice) return;
    // In the middle of what the driver does; whoever takes that up is killed everywhere as well.
    const killAt = points.findLastIndex((point) => /^(?:in |launch:|start:)/.test(point)) + 1;
    const cut = join(dir, 'cut');
    await cp(base.path, cut, { recursive: true });
    await live({ ...run, dir: cut, killAt });
    const recovery = { ...run, recovers: true };
    await walk(scenario, base, cut, await enumerate(scenario, base, cut, recovery), recovery);
  },
  180_000,
);
