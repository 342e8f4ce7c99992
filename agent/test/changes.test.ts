/** What owners do with VMs that are there, through the signed API, on the memory driver. */
import { paths, type Accepted, type OperationPage, type VmAction } from '@vm-on-golem/shared/api';
import type { Vm } from '@vm-on-golem/shared/vm';
import { statsSchema, type Snapshots } from '@vm-on-golem/shared/vm-commands';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { AGENT_LIMITS } from '../src/limits.ts';
import type { MemoryFaults } from '../src/drivers/memory/faults.ts';
import {
  createBody,
  overlay,
  Requestor,
  scratchFolder,
  stagesOf,
  startProvider,
  type TestProvider,
  type TestProviderOptions,
} from './provider.ts';

const { publicKey: SSH_KEY } = await generateOpenSshKeyPair();

let cleanup: AsyncDisposableStack;
let provider: TestProvider;
let alice: Requestor;
let vm: Vm;

beforeEach(() => {
  cleanup = new AsyncDisposableStack();
});
afterEach(() => cleanup.disposeAsync());

async function open(options: Partial<TestProviderOptions> = {}): Promise<void> {
  const dir = cleanup.use(await scratchFolder()).path;
  provider = cleanup.use(await startProvider({ dir, ...options }));
  alice = await Requestor.of(provider);
  vm = await alice.running('web');
}

async function ended(method: string, path: string, body?: unknown): Promise<OperationPage> {
  const answer = await alice.call(method, path, body === undefined ? {} : { body });
  if (answer.status !== 202) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return alice.follow((answer.body as Accepted).operation);
}

const act = (action: VmAction, body?: unknown) =>
  ended('POST', paths.vmAction(provider.id, vm.id, action), body);
const tried = (action: VmAction, body?: unknown) =>
  alice.call(
    'POST',
    paths.vmAction(provider.id, vm.id, action),
    body === undefined ? {} : { body },
  );
const snapshotsPath = () => paths.vmPart(provider.id, vm.id, 'snapshots');
const take = (name: string) => ended('POST', snapshotsPath(), { name });
async function snapshotNames(): Promise<string[]> {
  const { body } = await alice.call('GET', snapshotsPath());
  return (body as Snapshots).snapshots.map(({ name }) => name);
}

describe('how long a guest may take to shut down', () => {
  const graces: number[] = [];
  beforeEach(async () => {
    graces.length = 0;
    await open({
      wrapDriver: (driver) =>
        overlay(driver, {
          stop: (vmId, options) => {
            graces.push(options.graceMs);
            return driver.stop(vmId, options);
          },
        }),
    });
  });

  test('is what its owner says, none included, or as long as there is', async () => {
    await act('stop', { graceSeconds: 0 });
    await act('start');
    await act('restart', { graceSeconds: 7 });
    await act('stop', {});
    await act('start');
    await act('stop');
    expect(graces).toEqual([0, 7_000, 120_000, 120_000]);
  });

  test.each([{ graceSeconds: 121 }, { graceSeconds: -1 }, { graceSeconds: 0.5 }, { force: true }])(
    'is not %j',
    async (body) => {
      for (const action of ['stop', 'restart'] as const) {
        expect(await tried(action, body)).toMatchObject({
          ...{ status: 400, body: { error: { code: 'invalid_request' } } },
        });
      }
      expect(graces).toEqual([]);
    },
  );
});

describe('power', () => {
  beforeEach(() => open());

  test('a restart ends where it began', async () => {
    const page = await act('restart');
    expect(page).toMatchObject({ kind: 'restart', state: 'succeeded', vm: { state: 'running' } });
    expect(stagesOf(page)).toEqual(['accepted', 'shutdown', 'boot', 'ssh', 'ready']);
    expect(page.vm?.hostKey).toBe(vm.hostKey);
  });

  test('a VM is suspended, and goes on with its next start', async () => {
    const suspended = await act('suspend');
    expect(suspended).toMatchObject({ state: 'succeeded', vm: { state: 'suspended' } });
    expect(stagesOf(suspended)).toEqual(['accepted', 'save', 'suspended']);
    expect((await provider.driver.inspect(vm.id)).state).toBe('suspended');
    await provider.vms.reconcile();
    expect(provider.store.vms.get(vm.id)?.phase).toBe('suspended');
    expect(await act('start')).toMatchObject({ state: 'succeeded', vm: { state: 'running' } });
  });

  test.each(['restart', 'suspend'] as const)('%s needs a VM that runs', async (action) => {
    await act('stop');
    expect(await tried(action)).toMatchObject({
      status: 409,
      body: {
        error: {
          code: 'wrong_state',
          hint: expect.stringMatching(/^Start it\b.*: golem vm start /) as string,
        },
      },
    });
  });
});

describe('a resize', () => {
  const larger = { cpus: 4, memoryMiB: 1024, storageGiB: 8 };

  test('changes size and price, and what is available', async () => {
    await open({ capacity: { cpus: 4, memoryMiB: 2048, storageGiB: 10, vms: 1 } });
    await act('stop');
    const page = await act('resize', { resources: larger });
    expect(page).toMatchObject({ state: 'succeeded', vm: { state: 'stopped', resources: larger } });
    expect(stagesOf(page)).toEqual(['accepted', 'change', 'changed']);
    expect(page.vm?.hourlyPrice).toBe(4 * 5_000_000 + 2_000_000 + 8 * 100_000);
    expect(provider.vms.available()).toEqual({ cpus: 0, memoryMiB: 1024, storageGiB: 2, vms: 0 });
    expect(await act('start')).toMatchObject({ vm: { state: 'running', resources: larger } });
  });

  test('takes the larger of both sizes until it has ended', async () => {
    const changing = Promise.withResolvers<void>();
    const hold = Promise.withResolvers<void>();
    const change: MemoryFaults['change'] = () => {
      changing.resolve();
      return hold.promise;
    };
    await open({ faults: { change } });
    await act('stop');
    const { body } = await tried('resize', {
      resources: { cpus: 4, memoryMiB: 256, storageGiB: 8 },
    });
    await changing.promise;
    expect(provider.store.vms.taken()).toMatchObject({ cpus: 4, memoryMiB: 512, storageGiB: 8 });
    hold.resolve();
    await alice.follow((body as Accepted).operation);
    expect(provider.store.vms.taken()).toMatchObject({ cpus: 4, memoryMiB: 256, storageGiB: 8 });
  });

  test('that fails leaves size, price and room as they were', async () => {
    await open({
      faults: {
        change: async () => {
          throw new Error('No.');
        },
      },
    });
    await act('stop');
    const before = provider.vms.available();
    const page = await act('resize', { resources: larger });
    expect(page).toMatchObject({ state: 'failed', vm: { state: 'stopped', ...priceOf(vm) } });
    expect(page.vm?.resources).toEqual(vm.resources);
    expect(provider.vms.available()).toEqual(before);
  });

  test('gives nothing more while the provider is closed, and takes back all the same', async () => {
    await open();
    await act('stop');
    provider.vms.operator.pause();
    expect(await tried('resize', { resources: larger })).toMatchObject({ status: 503 });
    const smaller = { ...vm.resources, memoryMiB: 256 };
    expect(await act('resize', { resources: smaller })).toMatchObject({
      vm: { resources: smaller },
    });
  });

  test('makes no VM smaller than those that are rented, and leaves small ones as they are', async () => {
    let minimum = { cpus: 1, memoryMiB: 256, storageGiB: 5 };
    await open({ minimum: () => minimum });
    await act('stop');
    const tiny = { ...vm.resources, memoryMiB: 128 };
    expect((await tried('resize', { resources: tiny })).body).toMatchObject({
      error: {
        code: 'invalid_request',
        message: 'The provider rents no VM with less than 256 MiB of memory.',
      },
    });
    minimum = { cpus: 1, memoryMiB: 1024, storageGiB: 5 };
    const wider = { ...vm.resources, cpus: 3 };
    expect(await act('resize', { resources: wider })).toMatchObject({ vm: { resources: wider } });
  });

  test('has what there is measured before it is given away', async () => {
    let [isFull, isMeasured] = [false, false];
    await open({
      refresh: async () => void (isMeasured = isFull),
      closed: () => (isMeasured ? 'The disk is nearly full.' : undefined),
    });
    await act('stop');
    isFull = true;
    expect(await tried('resize', { resources: { ...vm.resources, memoryMiB: 256 } })).toMatchObject(
      {
        status: 202,
      },
    );
    await provider.vms.operations.idle();
    expect(await tried('resize', { resources: larger })).toMatchObject({
      status: 503,
      body: { error: { message: 'The disk is nearly full.' } },
    });
  });

  test('is refused when there is no room, the price is too high, or the disk would shrink', async () => {
    await open({ capacity: { cpus: 4, memoryMiB: 2048, storageGiB: 10, vms: 1 } });
    await act('stop');
    const refused = async (body: object) => (await tried('resize', body)).body;
    expect(await refused({ resources: { ...larger, cpus: 5 } })).toMatchObject({
      error: { code: 'no_capacity', message: expect.stringContaining('4 of 5 CPUs') },
    });
    expect(await refused({ resources: larger, maxHourlyPrice: 1 })).toMatchObject({
      error: { code: 'price_too_high' },
    });
    expect(await refused({ resources: { ...larger, storageGiB: 4 } })).toMatchObject({
      error: { code: 'invalid_request', message: expect.stringContaining('disks only grow') },
    });
    expect(provider.store.vms.get(vm.id)).toMatchObject({ phase: 'stopped', growing: null });
    await act('start');
    expect(await refused({ resources: larger })).toMatchObject({
      error: {
        code: 'wrong_state',
        hint: expect.stringMatching(/^Stop it first: golem vm stop /) as string,
      },
    });
  });
});

const priceOf = ({ hourlyPrice }: Vm) => ({ hourlyPrice });

describe('snapshots', () => {
  beforeEach(() => open());

  test('are taken, listed, restored and deleted', async () => {
    await act('stop');
    const page = await take('clean');
    expect(page).toMatchObject({ kind: 'snapshot', state: 'succeeded', vm: { state: 'stopped' } });
    expect(stagesOf(page)).toEqual(['accepted', 'change', 'changed']);
    await take('later');
    expect(await snapshotNames()).toEqual(['clean', 'later']);
    const restore = paths.restore(provider.id, vm.id, 'clean');
    expect(await ended('POST', restore)).toMatchObject({ kind: 'restore', state: 'succeeded' });
    const gone = await ended('DELETE', paths.snapshot(provider.id, vm.id, 'clean'));
    expect(gone).toMatchObject({ kind: 'delete-snapshot', state: 'succeeded' });
    expect(await snapshotNames()).toEqual(['later']);
  });

  test('are refused twice under one name, of a VM that runs, and of what is not there', async () => {
    const create = () => alice.call('POST', snapshotsPath(), { body: { name: 'clean' } });
    expect(await create()).toMatchObject({
      body: { error: { hint: expect.stringMatching(/^Stop it first: golem vm stop /) as string } },
    });
    await act('stop');
    await take('clean');
    expect(await create()).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining('called clean already') } },
    });
    const restore = paths.restore(provider.id, vm.id, 'nothing');
    const deletion = paths.snapshot(provider.id, vm.id, 'nothing');
    for (const refused of [
      await alice.call('POST', restore),
      await alice.call('DELETE', deletion),
    ]) {
      expect(refused).toMatchObject({
        status: 404,
        body: { error: { code: 'not_found', hint: 'It has: clean.' } },
      });
    }
    expect(provider.store.operations.running()).toEqual([]);
    expect(await alice.call('POST', paths.restore(provider.id, vm.id, 'UP'))).toMatchObject({
      status: 400,
    });
  });

  test('are answered the same under the same key, also when the first has ended', async () => {
    await act('stop');
    const options = { body: { name: 'clean' }, idempotencyKey: 'one-snapshot' };
    const first = await alice.call('POST', snapshotsPath(), options);
    await alice.follow((first.body as Accepted).operation);
    const second = await alice.call('POST', snapshotsPath(), options);
    expect(second.answer.body).toBe(first.answer.body);
    expect(await snapshotNames()).toEqual(['clean']);
  });

  test('are bounded in number', async () => {
    await act('stop');
    for (let i = 0; i < LIMITS.vm.snapshots; i += 1) await take(`s${i}`);
    const over = await alice.call('POST', snapshotsPath(), { body: { name: 'one-more' } });
    expect(over).toMatchObject({ status: 409, body: { error: { hint: 'Delete one first.' } } });
  });
});

describe('commands of one owner', () => {
  beforeEach(() => open());

  /** As many as are remembered of one owner, an hour ago. */
  function fill(): void {
    const { db } = provider.store;
    db.transaction(() => {
      for (let n = 0; n < AGENT_LIMITS.vms.commands; n += 1) {
        db.run(
          `INSERT INTO idempotency SELECT owner, ?, digest, status, body, at - 3600000
            FROM idempotency WHERE key = 'the-first-one'`,
          `filler-${n}`,
        );
      }
    });
  }
  const rows = () =>
    (provider.store.db.get('SELECT COUNT(*) n FROM idempotency') as { n: number }).n;

  test('are bounded, but for those that end or give something back', async () => {
    const bob = await Requestor.of(provider);
    const grants = paths.vmPart(provider.id, vm.id, 'grants');
    const grant = { body: { requestor: bob.id, sshKey: SSH_KEY } };
    const first = { ...grant, idempotencyKey: 'the-first-one' };
    const granted = await alice.call('POST', grants, first);
    fill();
    const full = rows();
    const limited = {
      status: 429,
      body: { error: { code: 'rate_limited', retryAfter: expect.closeTo(23 * 3600, -2) } },
    };
    expect(await alice.call('POST', grants, grant)).toMatchObject(limited);
    expect(await tried('renew', {})).toMatchObject(limited);
    expect(await tried('restart')).toMatchObject(limited);
    const more = { body: createBody('more') };
    expect(await alice.call('POST', paths.vms(provider.id), more)).toMatchObject(limited);
    // What was answered before is answered again.
    expect((await alice.call('POST', grants, first)).answer.body).toBe(granted.answer.body);
    expect((await bob.running('his')).state).toBe('running');

    const mine = rows();
    expect((await alice.call('DELETE', paths.grant(provider.id, vm.id, bob.id))).status).toBe(200);
    expect(await act('stop')).toMatchObject({ state: 'succeeded' });
    expect(await ended('DELETE', paths.vm(provider.id, vm.id))).toMatchObject({ vm: null });
    expect(rows()).toBe(mine);
    expect(mine - full).toBe(1);
  });

  test('are taken again when a day is over', async () => {
    await alice.call('POST', paths.vmAction(provider.id, vm.id, 'renew'), {
      ...{ body: { seconds: 3 * 86_400 }, idempotencyKey: 'the-first-one' },
    });
    fill();
    expect((await tried('renew', {})).status).toBe(429);
    provider.clock.advance(86_400_000);
    expect((await tried('renew', {})).status).toBe(200);
  });
});

describe('what can be read of a VM', () => {
  beforeEach(() => open());

  test('is the end of its console', async () => {
    const path = paths.vmPart(provider.id, vm.id, 'console');
    const { body } = await alice.call('GET', path);
    expect((body as { text: string }).text).toContain('web is ready');
    const { body: end } = await alice.call('GET', `${path}?bytes=6`);
    expect(end).toMatchObject({ text: 'ready\n' });
    expect((await alice.call('GET', `${path}?bytes=999999`)).status).toBe(400);
  });

  test('is what it uses', async () => {
    const { status, body } = await alice.call('GET', paths.vmPart(provider.id, vm.id, 'stats'));
    expect(status).toBe(200);
    expect(statsSchema.parse(body)).toMatchObject({ cpuSeconds: 0, receivedBytes: 0 });
  });

  test('is nobody else’s', async () => {
    const bob = await Requestor.of(provider);
    for (const part of ['console', 'stats', 'snapshots'] as const) {
      const path = paths.vmPart(provider.id, vm.id, part);
      expect(await bob.call('GET', path)).toMatchObject({
        status: 404,
        body: { error: { code: 'vm_not_found' } },
      });
    }
    for (const action of ['restart', 'suspend', 'resize', 'renew'] as const) {
      const body =
        action === 'resize'
          ? { body: { resources: vm.resources } }
          : action === 'renew'
            ? { body: {} }
            : {};
      const path = paths.vmAction(provider.id, vm.id, action);
      expect((await bob.call('POST', path, body)).status).toBe(404);
    }
    expect(provider.store.vms.get(vm.id)?.phase).toBe('running');
  });
});

test('what the driver cannot do is said before anything changes', async () => {
  await open({ capabilities: [] });
  const unsupported = { status: 501, body: { error: { code: 'unsupported' } } };
  expect(await tried('suspend')).toMatchObject(unsupported);
  expect(await alice.call('GET', snapshotsPath())).toMatchObject(unsupported);
  await act('stop');
  expect(await tried('resize', { resources: vm.resources })).toMatchObject(unsupported);
  const body = { name: 'clean' };
  expect(await alice.call('POST', snapshotsPath(), { body })).toMatchObject(unsupported);
  expect(provider.store.operations.running()).toEqual([]);
});

test('a destroy waits for no change that is under way, and leaves nothing', async () => {
  const changing = Promise.withResolvers<void>();
  const hold = Promise.withResolvers<void>();
  await open({
    faults: {
      change: () => {
        changing.resolve();
        return hold.promise;
      },
    },
  });
  await act('stop');
  const { body } = await tried('resize', { resources: { ...vm.resources, cpus: 4 } });
  await changing.promise;
  const destroying = await alice.call('DELETE', paths.vm(provider.id, vm.id));
  hold.resolve();
  await alice.follow((body as Accepted).operation);
  expect(await alice.follow((destroying.body as Accepted).operation)).toMatchObject({
    ...{ state: 'succeeded', vm: null },
  });
  expect(provider.store.vms.taken()).toEqual({ cpus: 0, memoryMiB: 0, storageGiB: 0, vms: 0 });
});
