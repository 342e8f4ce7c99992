/** An agent that is killed at any point, and what the next one makes of what it left. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { paths, type Accepted, type OperationPage } from '@vm-on-golem/shared/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DriverError, type Driver } from '../src/drivers/driver.ts';
import { memoryImage } from '../src/drivers/memory/image.ts';
import type { MemoryFaults } from '../src/drivers/memory/faults.ts';
import {
  createBody,
  overlay,
  Requestor,
  scratchFolder,
  startProvider,
  type TestProvider,
} from './provider.ts';
import { Reach } from './unreachable.ts';

let cleanup: AsyncDisposableStack;
let dir: string;
let copies = 0;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

/** What a kill at this very moment would leave on the disk. */
async function snapshot(): Promise<string> {
  const copy = join(dir, `copy-${(copies += 1)}`);
  await cp(join(dir, 'live'), copy, { recursive: true });
  return copy;
}

async function operationOf(next: TestProvider, owner: Requestor, id: string) {
  return new Requestor(owner.identity, next).follow(id);
}

async function statesOf(driver: Driver) {
  return (await driver.list()).map(({ state }) => state);
}

describe('a creation that is cut off', () => {
  /** Runs a create, and takes a copy of the disk at the given point. */
  async function cutAt(point: string): Promise<{ copy: string; alice: Requestor; id: string }> {
    const copied = Promise.withResolvers<string>();
    const at = async (here: string) => {
      if (here === point) copied.resolve(await snapshot());
    };
    const faults: MemoryFaults = { launch: async (_vmId, stage) => at(stage) };
    const images = {
      list: () => [memoryImage],
      resolve: async () => {
        await at('image');
        return memoryImage;
      },
    };
    const first = cleanup.use(await startProvider({ dir: join(dir, 'live'), faults, images }));
    const alice = await Requestor.of(first);
    const { operation } = await alice.create('web');
    await alice.follow(operation);
    await at('ready');
    return { copy: await copied.promise, alice, id: operation };
  }

  test.each(['image', 'disk', 'boot'])(
    'before its guest runs (%s) is rolled back',
    async (point) => {
      const { copy, alice, id } = await cutAt(point);
      const next = cleanup.use(await startProvider({ dir: copy }));
      const page = await operationOf(next, alice, id);
      expect(page).toMatchObject({ state: 'failed', vm: null, error: { code: 'launch_failed' } });
      expect(page.events.map(({ stage }) => stage).slice(-2)).toEqual(['rollback', 'failed']);
      expect(await next.driver.list()).toEqual([]);
      expect(next.store.vms.taken().vms).toBe(0);
      // The name is free again.
      await new Requestor(alice.identity, next).running('web');
    },
  );

  test.each(['ssh', 'ready'])('once its guest runs (%s) is finished', async (point) => {
    const { copy, alice, id } = await cutAt(point);
    const next = cleanup.use(await startProvider({ dir: copy }));
    const page = await operationOf(next, alice, id);
    expect(page).toMatchObject({ state: 'succeeded', vm: { name: 'web', state: 'running' } });
    expect(page.events.at(-1)).toMatchObject({ stage: 'ready' });
    expect(await statesOf(next.driver)).toEqual(['running']);
  });

  test('is rolled back when its guest runs but is not the one that was made', async () => {
    const { copy, alice, id } = await cutAt('ssh');
    // A guest that is seen running and cannot prove its host key.
    const wrapDriver = (driver: Driver): Driver =>
      overlay(driver, {
        start: async () => {
          throw new DriverError('failed', 'The guest shows another host key.');
        },
      });
    const next = cleanup.use(await startProvider({ dir: copy, wrapDriver }));
    expect(await operationOf(next, alice, id)).toMatchObject({ state: 'failed', vm: null });
    expect(await next.driver.list()).toEqual([]);
  });
});

test('a destroy that overtook a creation is finished, and both operations end', async () => {
  // Ids are random, and with them the order in which the two are found.
  for (let round = 0; round < 4; round += 1) {
    const live = join(dir, `live-${round}`);
    const launching = Promise.withResolvers<void>();
    const hold = Promise.withResolvers<void>();
    const faults: MemoryFaults = {
      launch: () => {
        launching.resolve();
        return hold.promise;
      },
    };
    const first = cleanup.use(await startProvider({ dir: live, faults }));
    cleanup.defer(() => hold.resolve());
    const alice = await Requestor.of(first);
    const { operation, vm } = await alice.create('web');
    await launching.promise;
    const { body } = await alice.call('DELETE', paths.vm(first.id, vm.id));
    expect(first.store.operations.running()).toHaveLength(2);
    const copy = `${live}-copy`;
    await cp(live, copy, { recursive: true });

    const next = cleanup.use(await startProvider({ dir: copy }));
    const destroyed = await operationOf(next, alice, (body as Accepted).operation);
    expect(destroyed).toMatchObject({ state: 'succeeded', vm: null });
    expect(await operationOf(next, alice, operation)).toMatchObject({ state: 'failed' });
    expect(next.store.operations.running()).toEqual([]);
    expect(await next.driver.list()).toEqual([]);
  }
});

describe('other operations that are cut off', () => {
  /** Does `verb` to a VM and copies the disk when the driver is about to do it. */
  async function cutDuring(verb: 'start' | 'stop' | 'destroy') {
    let copy: string | undefined;
    const take = async () => {
      copy ??= await snapshot();
    };
    const faults: MemoryFaults = {
      start: verb === 'start' ? take : async () => {},
      stop: verb === 'stop' ? take : async () => {},
      destroy: verb === 'destroy' ? take : async () => {},
    };
    const first = cleanup.use(await startProvider({ dir: join(dir, 'live'), faults }));
    const alice = await Requestor.of(first);
    const { id } = await alice.running('web');
    if (verb === 'start') await act(alice, first, id, 'stop');
    const { operation } = await act(alice, first, id, verb);
    if (copy === undefined) throw new Error('no copy was taken');
    return { copy, alice, operation };
  }

  async function act(
    who: Requestor,
    at: TestProvider,
    id: string,
    verb: 'start' | 'stop' | 'destroy',
  ): Promise<{ operation: string; page: OperationPage }> {
    const { body } =
      verb === 'destroy'
        ? await who.call('DELETE', paths.vm(at.id, id))
        : await who.call('POST', paths.vmAction(at.id, id, verb));
    const { operation } = body as Accepted;
    return { operation, page: await who.follow(operation) };
  }

  test.each([
    ['start', { state: 'succeeded', vm: { state: 'running' } }, ['running']],
    ['stop', { state: 'succeeded', vm: { state: 'stopped' } }, ['stopped']],
    ['destroy', { state: 'succeeded', vm: null }, []],
  ] as const)('%s is finished', async (verb, outcome, guests) => {
    const { copy, alice, operation } = await cutDuring(verb);
    const next = cleanup.use(await startProvider({ dir: copy }));
    expect(await operationOf(next, alice, operation)).toMatchObject(outcome);
    expect(await statesOf(next.driver)).toEqual(guests);
    expect(next.store.operations.running()).toEqual([]);
  });
});

describe('what runs while no agent does', () => {
  test('is adopted as it is, and the same command is still answered the same', async () => {
    const options = { body: createBody('web'), idempotencyKey: 'key-of-the-command' };
    const first = await startProvider({ dir });
    const alice = await Requestor.of(first);
    const created = await alice.call('POST', paths.vms(first.id), options);
    const { vm, operation } = created.body as Accepted;
    await alice.follow(operation);
    await first[Symbol.asyncDispose]();

    const next = cleanup.use(await startProvider({ dir }));
    const again = new Requestor(alice.identity, next);
    expect(next.id).toBe(first.id);
    expect((await again.call('GET', paths.vm(next.id, 'web'))).body).toMatchObject({
      id: vm.id,
      state: 'running',
      hostKey: vm.hostKey,
    });
    expect((await again.call('POST', paths.vms(next.id), options)).answer.body).toBe(
      created.answer.body,
    );
    expect(next.store.vms.taken().vms).toBe(1);
  });

  test('a guest that stopped by itself is stopped; one that vanished is kept as failed', async () => {
    const provider = cleanup.use(await startProvider({ dir }));
    const alice = await Requestor.of(provider);
    const [asleep, lost] = [await alice.running('asleep'), await alice.running('lost')];
    await provider.driver.stop(asleep.id, { graceMs: 0, signal: new AbortController().signal });
    await provider.driver.destroy(lost.id);
    await provider.vms.reconcile();
    const stateOf = async (name: string) =>
      (await alice.call('GET', paths.vm(provider.id, name))).body;
    expect(await stateOf('asleep')).toMatchObject({ state: 'stopped' });
    expect(await stateOf('lost')).toMatchObject({ state: 'failed' });
    expect(provider.store.vms.taken().vms).toBe(2);
  });

  test('a guest that belongs to no VM is left alone', async () => {
    const first = await startProvider({ dir: join(dir, 'live') });
    const alice = await Requestor.of(first);
    const vm = await alice.running('web');
    await first[Symbol.asyncDispose]();
    const other = join(dir, 'other');
    await cp(join(dir, 'live', 'guests'), join(other, 'guests'), { recursive: true });
    const next = cleanup.use(await startProvider({ dir: other }));
    await next.vms.reconcile();
    expect(await next.driver.list()).toEqual([{ vmId: vm.id, state: 'running' }]);
  });
});

describe('a hypervisor that cannot be asked', () => {
  test('costs no VM: nothing is freed, destroyed or begun until it can', async () => {
    const reach = new Reach();
    const provider = cleanup.use(await startProvider({ dir, wrapDriver: reach.wrapDriver }));
    const alice = await Requestor.of(provider);
    const vm = await alice.running('web');
    const path = paths.vm(provider.id, vm.id);

    reach.reachable = false;
    await provider.vms.reconcile();
    expect((await alice.call('GET', path)).body).toMatchObject({ state: 'unknown' });
    expect(provider.vms.closed()).toMatch('hypervisor');
    const refused = [
      await alice.call('DELETE', path),
      await alice.call('POST', `${path}/stop`),
      await alice.call('POST', paths.vms(provider.id), { body: createBody('two') }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([409, 409, 503]);
    expect(provider.store.vms.taken().vms).toBe(1);

    reach.reachable = true;
    await provider.vms.reconcile();
    expect((await alice.call('GET', path)).body).toEqual(vm);
  });

  test('leaves a creation open that was cut off, until it can be asked', async () => {
    const reach = new Reach();
    let copy = '';
    const faults: MemoryFaults = {
      launch: async (_vmId, stage) => {
        if (stage === 'ssh') copy = await snapshot();
      },
    };
    const first = cleanup.use(await startProvider({ dir: join(dir, 'live'), faults }));
    const alice = await Requestor.of(first);
    const { operation } = await alice.create('web');
    await alice.follow(operation);

    reach.reachable = false;
    const next = cleanup.use(await startProvider({ dir: copy, wrapDriver: reach.wrapDriver }));
    expect(next.store.operations.get(operation)).toMatchObject({ state: 'running' });
    expect(await next.driver.inspect(next.store.vms.live()[0]?.id ?? '')).toMatchObject({
      state: 'running',
    });
    reach.reachable = true;
    await next.vms.reconcile();
    expect(await operationOf(next, alice, operation)).toMatchObject({ state: 'succeeded' });
  });
});

test('leftovers of a failed launch are removed as soon as they can be', async () => {
  let stuck = true;
  const faults: MemoryFaults = {
    launch: async () => {
      throw new DriverError('failed', 'The disk is broken.');
    },
    destroy: async () => {
      if (stuck) throw new DriverError('failed', 'It cannot be removed.');
    },
  };
  const provider = cleanup.use(await startProvider({ dir, faults }));
  const alice = await Requestor.of(provider);
  const { operation, vm } = await alice.create('web');
  expect(await alice.follow(operation)).toMatchObject({
    state: 'failed',
    vm: { id: vm.id, state: 'failed' },
    error: { message: 'The disk is broken.' },
  });
  // What is still there still takes room.
  expect(provider.store.vms.taken().vms).toBe(1);
  stuck = false;
  await provider.vms.reconcile();
  await provider.vms.operations.idle();
  expect(provider.store.vms.taken().vms).toBe(0);
  expect(await provider.driver.list()).toEqual([]);
});

test('an agent that stops leaves a creation open for the next one', async () => {
  const begun = Promise.withResolvers<void>();
  const faults: MemoryFaults = {
    launch: async (_vmId, stage, signal) => {
      if (stage !== 'ssh') return;
      begun.resolve();
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    },
  };
  const first = await startProvider({ dir, faults });
  const alice = await Requestor.of(first);
  const { operation } = await alice.create('web');
  await begun.promise;
  await first[Symbol.asyncDispose]();

  const next = cleanup.use(await startProvider({ dir }));
  expect(await operationOf(next, alice, operation)).toMatchObject({
    state: 'succeeded',
    vm: { state: 'running' },
  });
});

test('two agents never share a folder', async () => {
  cleanup.use(await startProvider({ dir }));
  await expect(startProvider({ dir })).rejects.toMatchObject({ code: 'duplicate_identity' });
});
