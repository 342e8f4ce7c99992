/** How VMs end, or do not: leases, lives, creations that nobody collects, drains, evictions. */
import { paths, type Accepted } from '@vm-on-golem/shared/api';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Vm } from '@vm-on-golem/shared/vm';
import { vmEventsPageSchema } from '@vm-on-golem/shared/vm-records';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DriverError } from '../src/drivers/driver.ts';
import {
  createBody,
  Requestor,
  scratchFolder,
  startProvider,
  type TestProvider,
  type TestProviderOptions,
} from './provider.ts';
import { Reach } from './unreachable.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let cleanup: AsyncDisposableStack;
let dir: string;
let provider: TestProvider;
let alice: Requestor;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

async function open(options: Partial<TestProviderOptions> = {}): Promise<void> {
  provider = cleanup.use(await startProvider({ dir, ...options }));
  alice = await Requestor.of(provider);
}

/** Lets time pass, and everything happen that is due then. */
async function pass(millis: number): Promise<void> {
  provider.clock.advance(millis);
  await look();
}

async function look(): Promise<void> {
  await provider.vms.reconcile();
  await provider.vms.operations.idle();
}

/** Timers of which only the last one is rung, and by hand. */
function alarm() {
  const waits: number[] = [];
  let last = () => {};
  const after: Timers['after'] = (millis, call) => {
    waits.push(millis);
    last = call;
    return () => {};
  };
  return { waits, ring: () => last(), timers: { after } };
}

const pathOf = (vm: string) => paths.vm(provider.id, vm);

async function seen(vm: string): Promise<Vm> {
  const { status, body } = await alice.call('GET', pathOf(vm));
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body as Vm;
}

async function renew(vm: string, body: object = {}) {
  return alice.call('POST', paths.vmAction(provider.id, vm, 'renew'), { body });
}

const millisFrom = (iso: string | undefined) => Date.parse(iso ?? '') - provider.clock.now();

describe('a lease', () => {
  beforeEach(() => open());

  test('lasts a day; then the VM is stopped, and its disk kept for another', async () => {
    const vm = await alice.running('web');
    expect(Math.abs(millisFrom(vm.leaseUntil) - DAY)).toBeLessThan(MINUTE);
    await pass(DAY - MINUTE);
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
    await pass(MINUTE);
    const ended = await seen(vm.id);
    expect(ended).toMatchObject({ state: 'stopped', notice: { kind: 'lease_ended' } });
    expect(Math.abs(millisFrom(ended.notice?.at) - DAY)).toBeLessThan(MINUTE);
    expect(await provider.driver.list()).toEqual([{ vmId: vm.id, state: 'stopped' }]);

    await pass(DAY - MINUTE);
    expect(await seen(vm.id)).toMatchObject({ state: 'stopped' });
    await pass(MINUTE);
    expect(await provider.driver.list()).toEqual([]);
    expect(provider.store.vms.taken().vms).toBe(0);
    const { body } = await alice.call('GET', paths.vmPart(provider.id, vm.id, 'events'));
    expect(vmEventsPageSchema.parse(body).events.map(({ kind, by }) => `${kind} ${by}`)).toEqual([
      ...['create owner', 'create.done owner', 'lease.ended agent', 'stop agent'],
      ...['stop.done agent', 'destroy agent', 'destroy.done agent'],
    ]);
    expect(await alice.call('GET', pathOf(vm.id))).toMatchObject({
      status: 410,
      body: { error: { code: 'vm_gone', message: expect.stringContaining('was not renewed') } },
    });
  });

  test('is renewed from now on, as often as its owner likes', async () => {
    const vm = await alice.running('web');
    for (let day = 0; day < 4; day += 1) {
      await pass(DAY - MINUTE);
      const { status, body } = await renew(vm.id);
      expect(status).toBe(200);
      expect(Math.abs(millisFrom((body as { vm: Vm }).vm.leaseUntil) - DAY)).toBeLessThan(1000);
    }
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
  });

  test('that is renewed in its grace time brings the VM back as it was', async () => {
    const vm = await alice.running('web');
    await pass(DAY);
    const start = await alice.call('POST', paths.vmAction(provider.id, vm.id, 'start'));
    expect(start).toMatchObject({
      status: 409,
      body: { error: { code: 'wrong_state', hint: expect.stringContaining('Renew') } },
    });
    expect(await renew(vm.id)).toMatchObject({ status: 200, body: { vm: { state: 'starting' } } });
    await look();
    const back = await seen(vm.id);
    expect(back).toMatchObject({ id: vm.id, state: 'running', hostKey: vm.hostKey });
    expect(back.notice).toBeUndefined();
    await pass(DAY - MINUTE);
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
  });

  test('leaves a VM stopped that its owner had stopped, when it is renewed', async () => {
    const vm = await alice.running('web');
    const { body } = await alice.call('POST', paths.vmAction(provider.id, vm.id, 'stop'));
    await alice.follow((body as Accepted).operation);
    await pass(DAY);
    expect(await seen(vm.id)).toMatchObject({ notice: { kind: 'lease_ended' } });
    expect(await renew(vm.id)).toMatchObject({ body: { vm: { state: 'stopped' } } });
  });

  test('is made no shorter by a renewal, however little that asks for', async () => {
    const vm = await alice.running('web');
    const { body } = await renew(vm.id, { seconds: (7 * DAY) / 1000 });
    const { leaseUntil } = (body as { vm: Vm }).vm;
    expect(Math.abs(millisFrom(leaseUntil) - 7 * DAY)).toBeLessThan(1000);
    await pass(MINUTE);
    for (const asked of [{}, { seconds: 3600 }]) {
      expect(await renew(vm.id, asked)).toMatchObject({
        status: 200,
        body: { vm: { leaseUntil } },
      });
    }
    expect((await seen(vm.id)).leaseUntil).toBe(leaseUntil);
    // What is left is less than a week by now.
    const longer = await renew(vm.id, { seconds: (7 * DAY) / 1000 });
    expect(Math.abs(millisFrom((longer.body as { vm: Vm }).vm.leaseUntil) - 7 * DAY)).toBeLessThan(
      1000,
    );
  });

  test('has a longest length, and is answered the same under the same key', async () => {
    const vm = await alice.running('web');
    expect(await renew(vm.id, { seconds: (40 * DAY) / 1000 })).toMatchObject({
      status: 400,
      body: { error: { hint: expect.stringContaining('up to 30d at a time') } },
    });
    const path = paths.vmAction(provider.id, vm.id, 'renew');
    const options = { body: { seconds: 3600 }, idempotencyKey: 'renewed-once' };
    const first = await alice.call('POST', path, options);
    provider.clock.advance(MINUTE);
    const second = await alice.call('POST', path, options);
    expect(second.answer.body).toBe(first.answer.body);
  });

  test('of another key is nobody else’s to renew', async () => {
    const vm = await alice.running('web');
    const bob = await Requestor.of(provider);
    const path = paths.vmAction(provider.id, vm.id, 'renew');
    expect(await bob.call('POST', path, { body: {} })).toMatchObject({ status: 404 });
  });

  test('ends for no VM because somebody set the clock, or the machine was off', async () => {
    const vm = await alice.running('web');
    const lease = await seen(vm.id);
    provider.clock.jump(1000 * DAY);
    await look();
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
    // What is shown follows the clock: as long from now as before.
    const shown = Date.parse((await seen(vm.id)).leaseUntil ?? '');
    const moved = shown - Date.parse(lease.leaseUntil ?? '');
    expect(Math.abs(moved - 1000 * DAY)).toBeLessThan(1000);
    await provider[Symbol.asyncDispose]();
    const next = cleanup.use(await startProvider({ dir, bootId: 'boot-2' }));
    next.clock.jump(3000 * DAY);
    await next.vms.reconcile();
    await next.vms.operations.idle();
    expect(next.store.vms.live()).toMatchObject([{ id: vm.id, phase: 'running', hold: null }]);
  });
});

test('a key is answered as before although somebody has set the clock', async () => {
  await open();
  const options = { body: createBody('web'), idempotencyKey: 'one-creation' };
  const first = await alice.call('POST', paths.vms(provider.id), options);
  provider.clock.jump(300 * DAY);
  provider.vms.prune();
  const second = await alice.call('POST', paths.vms(provider.id), options);
  expect(second.answer.body).toBe(first.answer.body);
});

test('a disk that is full ends nothing, and is waited for', async () => {
  const { waits, ring, timers } = alarm();
  await open({ timers });
  const vm = await alice.running('web');
  const { db } = provider.store;
  const transaction = db.transaction.bind(db);
  db.transaction = () => {
    throw new Error('database or disk is full');
  };
  provider.clock.advance(DAY);
  ring();
  expect(waits.at(-1)).toBe(30_000);
  db.transaction = transaction;
  ring();
  await provider.vms.operations.idle();
  expect(provider.store.vms.get(vm.id)).toMatchObject({ phase: 'stopped', hold: { why: 'lease' } });
});

describe('a time to live', () => {
  test('ends the VM to the second, whatever its lease says', async () => {
    await open();
    const vm = await alice.running('web', { ttlSeconds: 3600 });
    expect(Math.abs(millisFrom(vm.destroyAt) - HOUR)).toBeLessThan(MINUTE);
    await renew(vm.id, { seconds: (20 * DAY) / 1000 });
    await pass(HOUR - MINUTE);
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
    await pass(MINUTE);
    expect(await alice.call('GET', pathOf('web'))).toMatchObject({
      status: 410,
      body: { error: { message: expect.stringContaining('so long to live') } },
    });
    expect(await provider.driver.list()).toEqual([]);
    // The name is free again.
    await alice.running('web');
  });

  test('is kept by a timer of its own, without anybody looking', async () => {
    await open({ terms: { leaseMillis: 300, leaseGraceMillis: 300 } });
    const { operation, vm } = await alice.create('web');
    await alice.follow(operation);
    await expect.poll(() => provider.store.vms.get(vm.id)?.hold?.why).toBe('lease');
    await expect
      .poll(() => provider.store.vms.gone(vm.id)?.goneBy, { timeout: 5000 })
      .toBe('agent');
    expect(await provider.driver.list()).toEqual([]);
  });
});

test('nobody is woken but for what is due, and twice a minute in case the machine slept', async () => {
  const { waits, ring, timers } = alarm();
  await open({ timers });
  expect(waits).toEqual([]);
  const vm = await alice.running('web', { ttlSeconds: 100 });
  expect(waits.at(-1)).toBe(30_000);
  // It slept for 90 seconds, in which no timer ran.
  provider.clock.advance(90_000);
  ring();
  expect(waits.at(-1)).toBeLessThanOrEqual(10_000);
  expect(provider.store.vms.get(vm.id)?.phase).toBe('running');
  provider.clock.advance(10_000);
  ring();
  await provider.vms.operations.idle();
  expect(provider.store.vms.get(vm.id)).toBeUndefined();
});

describe('a creation', () => {
  beforeEach(() => open());

  async function sent(): Promise<{ id: string; operation: string; options: object }> {
    const options = { body: createBody('web'), idempotencyKey: crypto.randomUUID() };
    const { body } = await alice.call('POST', paths.vms(provider.id), options);
    const { vm, operation } = body as Accepted;
    await provider.vms.operations.idle();
    return { id: vm.id, operation, options };
  }

  test('that nobody collects is rolled back after ten minutes', async () => {
    const { id } = await sent();
    await pass(10 * MINUTE - 1000);
    expect(provider.store.vms.get(id)?.phase).toBe('running');
    await pass(1000);
    expect(await provider.driver.list()).toEqual([]);
    expect(await alice.call('GET', pathOf(id))).toMatchObject({
      status: 410,
      body: { error: { message: expect.stringContaining('Nobody asked about it') } },
    });
  });

  test('of another key collects nothing', async () => {
    const { id } = await sent();
    const bob = await Requestor.of(provider);
    expect((await bob.call('GET', pathOf(id))).status).toBe(404);
    expect((await bob.call('GET', paths.vms(provider.id))).body).toMatchObject({ vms: [] });
    await pass(10 * MINUTE);
    expect(provider.store.vms.get(id)).toBeUndefined();
  });

  test.each<[string, (created: Awaited<ReturnType<typeof sent>>) => Promise<unknown>]>([
    [
      'the operation',
      ({ operation }) => alice.call('GET', paths.operation(provider.id, operation)),
    ],
    ['the VM', ({ id }) => alice.call('GET', pathOf(id))],
    ['a list with it', () => alice.call('GET', paths.vms(provider.id))],
    ['the same again', ({ options }) => alice.call('POST', paths.vms(provider.id), options)],
    ['a command', ({ id }) => alice.call('POST', paths.vmAction(provider.id, id, 'start'))],
    ['a renewal', ({ id }) => renew(id)],
    [
      'a session',
      async ({ id }) => {
        const stream = await provider.vms.queries.dial(
          provider.vms.queries.locate(alice.id, id),
          new AbortController().signal,
        );
        stream.destroy();
      },
    ],
  ])('is collected by %s', async (_what, ask) => {
    const created = await sent();
    await ask(created);
    await pass(10 * MINUTE);
    expect(provider.store.vms.get(created.id)).toMatchObject({ phase: 'running', collectBy: null });
  });
});

describe('a drain', () => {
  beforeEach(() => open());
  const drain = (millis: number, reason?: string) =>
    provider.vms.operator.drain({ by: provider.clock.now() + millis, reason });

  test('takes no new VMs, tells owners, and promises nothing beyond its end', async () => {
    const vm = await alice.running('web');
    drain(2 * DAY, 'The house gets new cables.');
    const by = Date.parse((await seen(vm.id)).notice?.at ?? '');
    expect(await seen(vm.id)).toMatchObject({
      state: 'running',
      notice: { kind: 'drain', reason: 'The house gets new cables.' },
    });
    expect(
      await alice.call('POST', paths.vms(provider.id), { body: createBody('two') }),
    ).toMatchObject({
      status: 503,
      body: { error: { code: 'draining', message: expect.stringContaining('new cables') } },
    });
    const { body } = await renew(vm.id, { seconds: (7 * DAY) / 1000 });
    const until = Date.parse((body as { vm: Vm }).vm.leaseUntil ?? '');
    expect(Math.abs(until - by)).toBeLessThan(1000);
  });

  test('takes no promise back when a lease that ends after it is renewed', async () => {
    const { id, leaseUntil } = await alice.running('web');
    drain(HOUR);
    expect(await renew(id)).toMatchObject({ status: 200, body: { vm: { leaseUntil } } });
  });

  test('stops VMs at its end, and keeps their disks for a week', async () => {
    const [runs, rests] = [await alice.running('runs'), await alice.running('rests')];
    const { body } = await alice.call('POST', paths.vmAction(provider.id, rests.id, 'stop'));
    await alice.follow((body as Accepted).operation);
    drain(HOUR);
    await pass(HOUR);
    expect(await seen(runs.id)).toMatchObject({ state: 'stopped', notice: { kind: 'drained' } });
    for (const path of [
      paths.vmAction(provider.id, runs.id, 'start'),
      paths.vmAction(provider.id, runs.id, 'renew'),
    ]) {
      const asked = path.endsWith('renew') ? { body: {} } : {};
      expect(await alice.call('POST', path, asked)).toMatchObject({
        body: { error: { code: 'draining' } },
      });
    }
    await pass(7 * DAY - MINUTE);
    expect((await provider.driver.list()).map(({ state }) => state)).toEqual([
      'stopped',
      'stopped',
    ]);
    await pass(MINUTE);
    expect(await provider.driver.list()).toEqual([]);
    expect(await alice.call('GET', pathOf(runs.id))).toMatchObject({ status: 410 });
  });

  test('that is cancelled leaves no trace, and after its end brings back what ran', async () => {
    const [runs, rests] = [await alice.running('runs'), await alice.running('rests')];
    const { body } = await alice.call('POST', paths.vmAction(provider.id, rests.id, 'stop'));
    await alice.follow((body as Accepted).operation);
    drain(HOUR);
    await pass(30 * MINUTE);
    provider.vms.operator.resume();
    expect((await seen(runs.id)).notice).toBeUndefined();
    await pass(HOUR);
    expect(await seen(runs.id)).toMatchObject({ state: 'running' });

    drain(HOUR);
    await pass(HOUR);
    expect(await seen(runs.id)).toMatchObject({ state: 'stopped' });
    provider.vms.operator.resume();
    await look();
    expect(await seen(runs.id)).toMatchObject({ state: 'running' });
    expect(await seen(rests.id)).toMatchObject({ state: 'stopped' });
    expect((await seen(runs.id)).notice).toBeUndefined();
    expect(provider.vms.closed()).toBeUndefined();
  });

  test('that is cancelled late gives whoever could not renew a whole lease', async () => {
    const held = await alice.running('held');
    const rests = await alice.running('rests');
    const { body } = await alice.call('POST', paths.vmAction(provider.id, rests.id, 'stop'));
    await alice.follow((body as Accepted).operation);
    drain(HOUR);
    await pass(2 * DAY);
    provider.vms.operator.resume();
    await look();
    expect(await seen(held.id)).toMatchObject({ state: 'running' });
    await pass(DAY - MINUTE);
    expect(await seen(held.id)).toMatchObject({ state: 'running' });
    expect((await seen(rests.id)).notice).toBeUndefined();
    await pass(MINUTE);
    expect(await seen(held.id)).toMatchObject({ notice: { kind: 'lease_ended' } });
  });

  test('that is cancelled in time leaves no lease cut short, and all others as they were', async () => {
    const [cut, other] = [await alice.running('cut'), await alice.running('other')];
    const before = provider.store.vms.get(other.id)?.leaseUntil;
    await pass(DAY - HOUR);
    drain(2 * HOUR);
    await renew(cut.id);
    expect(Math.abs(millisFrom((await seen(cut.id)).leaseUntil) - 2 * HOUR)).toBeLessThan(MINUTE);
    provider.vms.operator.resume();
    expect(Math.abs(millisFrom((await seen(cut.id)).leaseUntil) - DAY)).toBeLessThan(MINUTE);
    expect(provider.store.vms.get(other.id)?.leaseUntil).toBe(before);
  });

  test.each([
    ['cancelled', 'draining', 'drain.cancelled', () => provider.vms.operator.resume()],
    ['announced', 'open', 'drain', () => drain(2 * HOUR)],
  ])('that cannot be %s as the disk is full is as it was', async (_what, kind, event, change) => {
    await alice.running('web');
    if (kind === 'draining') drain(HOUR);
    provider.store.db.run(
      `CREATE TRIGGER full BEFORE INSERT ON vm_events WHEN NEW.kind = '${event}'
       BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    expect(change).toThrow('disk is full');
    expect(provider.vms.operator.mode.kind).toBe(kind);
    expect(provider.vms.closed() === undefined).toBe(kind === 'open');
  });

  test('outlives the agent, as a pause does', async () => {
    drain(HOUR, 'Good bye.');
    await provider[Symbol.asyncDispose]();
    await open();
    expect(provider.vms.operator.mode).toMatchObject({ kind: 'draining', reason: 'Good bye.' });
    expect(() => provider.vms.operator.pause()).toThrow('draining');
    provider.vms.operator.resume();
    provider.vms.operator.pause();
    await provider[Symbol.asyncDispose]();
    await open();
    expect(provider.vms.operator.mode).toEqual({ kind: 'paused' });
    expect(provider.vms.closed()).toMatch('no new VMs');
  });

  test('to a time that is over is refused', () => {
    expect(() => drain(-1)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});

describe('an eviction', () => {
  beforeEach(() => open());

  test('is recorded, and its owner can read why and when for a week', async () => {
    const vm = await alice.running('web');
    const operation = provider.vms.operator.evict('web', 'It sent spam.');
    expect(await alice.follow(operation)).toMatchObject({ kind: 'destroy', state: 'succeeded' });
    const today = new Date(provider.clock.now()).toISOString().slice(0, 10);
    for (const ref of ['web', vm.id]) {
      expect(await alice.call('GET', pathOf(ref))).toMatchObject({
        status: 410,
        body: {
          error: {
            code: 'vm_gone',
            message: expect.stringMatching(
              new RegExp(`^web was removed at ${today}.*It sent spam\\.`),
            ),
          },
        },
      });
    }
    const bob = await Requestor.of(provider);
    expect(await bob.call('GET', pathOf(vm.id))).toMatchObject({ status: 404 });
    provider.vms.prune();
    await pass(6 * DAY);
    provider.vms.prune();
    expect((await alice.call('GET', pathOf(vm.id))).status).toBe(410);
    const { body } = await alice.call('GET', paths.vmPart(provider.id, vm.id, 'events'));
    const { events } = vmEventsPageSchema.parse(body);
    expect(events.find(({ kind }) => kind === 'evict')).toMatchObject({
      ...{ by: 'provider', message: 'It sent spam.' },
    });
    expect(events.at(-1)).toMatchObject({ kind: 'destroy.done', by: 'provider' });
    await pass(DAY);
    provider.vms.prune();
    expect((await alice.call('GET', pathOf(vm.id))).status).toBe(404);
  });

  test('needs a reason, and a VM', async () => {
    await alice.running('web');
    const { operator } = provider.vms;
    for (const reason of ['', '  ', 'a\nb', 'x'.repeat(201)]) {
      expect(() => operator.evict('web', reason)).toThrow('A reason is one line');
    }
    expect(() => operator.evict('nothing', 'why')).toThrow('There is no VM nothing here.');
    const bob = await Requestor.of(provider);
    await bob.running('web');
    expect(() => operator.evict('web', 'why')).toThrow('several VMs called web');
    expect(operator.vms()).toMatchObject([
      { name: 'web', owner: alice.id, state: 'running' },
      { name: 'web', owner: bob.id, state: 'running' },
    ]);
  });

  test('interrupts a creation', async () => {
    await provider[Symbol.asyncDispose]();
    const launching = Promise.withResolvers<void>();
    await open({
      faults: {
        launch: async (_vmId, _stage, signal) => {
          launching.resolve();
          await new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('aborted')));
          });
        },
      },
    });
    const { operation } = await alice.create('web');
    await launching.promise;
    const evicted = provider.vms.operator.evict('web', 'No.');
    expect(await alice.follow(operation)).toMatchObject({ state: 'failed' });
    expect(await alice.follow(evicted)).toMatchObject({ state: 'succeeded', vm: null });
    expect(await provider.driver.list()).toEqual([]);
  });
});

describe('a VM that is being stopped as its time is over', () => {
  let stopping: PromiseWithResolvers<void>;
  let stopped: PromiseWithResolvers<void>;

  beforeEach(async () => {
    stopping = Promise.withResolvers();
    stopped = Promise.withResolvers();
    await open({
      faults: {
        stop: async () => {
          stopping.resolve();
          await stopped.promise;
        },
      },
    });
  });

  /** Until its guest is told to stop. */
  async function stopsAfter(millis: number): Promise<void> {
    provider.clock.advance(millis);
    await provider.vms.reconcile();
    await stopping.promise;
  }

  async function settle(): Promise<void> {
    stopped.resolve();
    await look();
    await look();
  }

  test('is started again when its lease is renewed meanwhile', async () => {
    const vm = await alice.running('web');
    await stopsAfter(DAY);
    expect(await renew(vm.id)).toMatchObject({ body: { vm: { state: 'stopping' } } });
    await settle();
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
    expect((await seen(vm.id)).notice).toBeUndefined();
  });

  test('is started again when the drain is cancelled meanwhile', async () => {
    const vm = await alice.running('web');
    provider.vms.operator.drain({ by: provider.clock.now() + HOUR });
    await stopsAfter(HOUR);
    provider.vms.operator.resume();
    expect(await seen(vm.id)).toMatchObject({ state: 'stopping' });
    await settle();
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
    expect((await seen(vm.id)).notice).toBeUndefined();
  });

  test('is started by the next agent too, if this one is killed before it has stopped', async () => {
    const vm = await alice.running('web');
    await stopsAfter(DAY);
    await renew(vm.id);
    const ended = provider[Symbol.asyncDispose]();
    stopped.resolve();
    await ended;
    await open({ passed: DAY });
    await look();
    expect(provider.store.vms.get(vm.id)).toMatchObject({ phase: 'running', hold: null });
  });
});

describe('while the hypervisor cannot be asked', () => {
  test('no VM ends; what is due is caught up with when it can be', async () => {
    const reach = new Reach();
    await open({ wrapDriver: reach.wrapDriver });
    const kept = await alice.running('kept');
    const brief = await alice.running('brief', { ttlSeconds: 3600 });
    reach.reachable = false;
    await look();
    expect(provider.vms.operator.hypervisorReachable).toBe(false);
    expect(() => provider.vms.operator.evict('kept', 'why')).toThrow('cannot say');
    await pass(3 * DAY);
    expect(provider.store.vms.get(kept.id)).toMatchObject({ phase: 'running', hold: null });
    expect(await seen(brief.id)).toMatchObject({ state: 'unknown' });
    expect((await provider.driver.inspect(kept.id)).state).toBe('running');
    // Owners can renew meanwhile, or find it stopped afterwards with its disk.
    reach.reachable = true;
    await look();
    expect(await seen(kept.id)).toMatchObject({
      state: 'stopped',
      notice: { kind: 'lease_ended' },
    });
    expect(await alice.call('GET', pathOf(brief.id))).toMatchObject({ status: 410 });
  });

  test('what is renewed is started once it can be', async () => {
    const reach = new Reach();
    await open({ wrapDriver: reach.wrapDriver });
    const vm = await alice.running('web');
    await pass(DAY);
    reach.reachable = false;
    await look();
    await renew(vm.id, { seconds: (3 * DAY) / 1000 });
    await pass(2 * DAY);
    expect(provider.store.vms.get(vm.id)).toMatchObject({ phase: 'stopped' });
    reach.reachable = true;
    await look();
    await look();
    expect(await seen(vm.id)).toMatchObject({ state: 'running' });
  });

  test('a guest that does not stop is told again', async () => {
    let stuck = true;
    await open({
      faults: {
        stop: async () => {
          if (stuck) throw new DriverError('failed', 'It does not stop.');
        },
      },
    });
    const vm = await alice.running('web');
    await pass(DAY);
    expect(await seen(vm.id)).toMatchObject({ state: 'running', notice: { kind: 'lease_ended' } });
    stuck = false;
    await pass(MINUTE);
    expect(await seen(vm.id)).toMatchObject({ state: 'stopped' });
  });
});
