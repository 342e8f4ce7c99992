/** A host that is restarted, and guests that nobody knows of. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { paths, type Accepted, type VmAction } from '@vm-on-golem/shared/api';
import { newVmId } from '@vm-on-golem/shared/ids';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import { DriverError, type Driver } from '../src/drivers/driver.ts';
import { memoryImage } from '../src/drivers/memory/image.ts';
import { createMemoryDriver } from '../src/drivers/memory/driver.ts';
import { renderSeed } from '../src/vms/seed.ts';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import {
  overlay,
  Requestor,
  scratchFolder,
  startProvider,
  type TestProvider,
  type TestProviderOptions,
} from './provider.ts';

const DAY = 24 * 3600_000;
const signal = new AbortController().signal;
let cleanup: AsyncDisposableStack;
let dir: string;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

const open = async (options: Partial<TestProviderOptions> = {}) =>
  cleanup.use(await startProvider({ dir, ...options }));

async function act(who: Requestor, at: TestProvider, vm: string, action: VmAction) {
  const { body } = await who.call('POST', paths.vmAction(at.id, vm, action));
  return who.follow((body as Accepted).operation);
}

/** What a host does to guests that goes down. */
async function powerCut(at: TestProvider): Promise<void> {
  for (const { vmId, state } of await at.driver.list()) {
    if (state === 'running') await at.driver.stop(vmId, { graceMs: 0, signal });
  }
}

async function stateOf(at: TestProvider, id: string): Promise<string | undefined> {
  await at.vms.operations.idle();
  return at.store.vms.get(id)?.phase;
}

describe('a host that was restarted', () => {
  test('brings back what ran, one after the other, and nothing else', async () => {
    const first = await open();
    const alice = await Requestor.of(first);
    const ran = [
      await alice.running('one'),
      await alice.running('two'),
      await alice.running('three'),
    ];
    const stopped = await alice.running('stopped');
    const suspended = await alice.running('suspended');
    await act(alice, first, stopped.id, 'stop');
    await act(alice, first, suspended.id, 'suspend');
    await first[Symbol.asyncDispose]();
    await powerCut(first);

    let atOnce = 0;
    let most = 0;
    const start = async () => {
      most = Math.max(most, (atOnce += 1));
      await new Promise((resolve) => setImmediate(resolve));
      atOnce -= 1;
    };
    const next = await open({ bootId: 'boot-2', faults: { start } });
    for (const { id } of ran) expect(await stateOf(next, id)).toBe('running');
    expect(most).toBe(1);
    expect(await stateOf(next, stopped.id)).toBe('stopped');
    expect(await stateOf(next, suspended.id)).toBe('suspended');
    const again = new Requestor(alice.identity, next);
    expect(await act(again, next, suspended.id, 'start')).toMatchObject({ state: 'succeeded' });

    // Once it is back it is as any other: what its owner shuts down stays so.
    await next.driver.stop(ran[0]?.id ?? '', { graceMs: 0, signal });
    await next.vms.reconcile();
    expect(await stateOf(next, ran[0]?.id ?? '')).toBe('stopped');
  });

  test('lets no guest that never answers keep the others down', async () => {
    const first = await open();
    const alice = await Requestor.of(first);
    const stuck = await alice.running('stuck');
    const fine = await alice.running('fine');
    await first[Symbol.asyncDispose]();
    await powerCut(first);
    const hold = Promise.withResolvers<void>();
    const turns: (() => void)[] = [];
    const timers: Timers = {
      after: (millis, call) => {
        if (millis === 60_000) turns.push(call);
        return () => {};
      },
    };
    const faults = { start: (id: string) => (id === stuck.id ? hold.promise : Promise.resolve()) };
    const next = cleanup.use(await startProvider({ dir, bootId: 'boot-2', faults, timers }));
    await expect.poll(() => turns).toHaveLength(1);
    expect(next.store.vms.get(fine.id)?.phase).toBe('starting');
    turns[0]?.();
    await expect.poll(() => next.store.vms.get(fine.id)?.phase).toBe('running');
    expect(next.store.vms.get(stuck.id)?.phase).toBe('starting');
    hold.resolve();
    expect(await stateOf(next, stuck.id)).toBe('running');
  });

  test('writes down that it was the agent that started them', async () => {
    const first = await open();
    const vm = await (await Requestor.of(first)).running('web');
    await first[Symbol.asyncDispose]();
    await powerCut(first);
    const hold = Promise.withResolvers<void>();
    const next = await open({ bootId: 'boot-2', faults: { start: () => hold.promise } });
    expect(next.store.operations.running()).toMatchObject([
      { vmId: vm.id, kind: 'start', actor: 'agent' },
    ]);
    hold.resolve();
    expect(await stateOf(next, vm.id)).toBe('running');
  });

  test('tries again when what a guest needs is not up yet', async () => {
    const first = await open();
    const vm = await (await Requestor.of(first)).running('web');
    await first[Symbol.asyncDispose]();
    await powerCut(first);
    let tries = 0;
    const start = async () => {
      tries += 1;
      if (tries < 4) throw new DriverError('failed', 'There is no bridge.');
    };
    const waits: number[] = [];
    const timers: Timers = {
      after: (millis, call) => {
        waits.push(millis);
        // Not the end of its lease, which comes in a day.
        if (millis === 15_000) setImmediate(call);
        return () => {};
      },
    };
    const next = await open({ bootId: 'boot-2', faults: { start }, timers });
    expect(await stateOf(next, vm.id)).toBe('running');
    expect(waits.filter((millis) => millis === 15_000)).toHaveLength(3);
    const starts = next.store.db.all(`SELECT state FROM operations WHERE kind = 'start'`);
    expect(starts).toEqual([{ state: 'succeeded' }]);
  });

  test('leaves alone what its owner had shut down from inside, in the same boot', async () => {
    const first = await open();
    const vm = await (await Requestor.of(first)).running('web');
    await first[Symbol.asyncDispose]();
    await powerCut(first);
    const next = await open({ bootId: 'boot-1' });
    expect(await stateOf(next, vm.id)).toBe('stopped');
  });

  test('does not start a VM whose time is over, and keeps its disk', async () => {
    const first = await open({ terms: { leaseMillis: 3600_000 } });
    const alice = await Requestor.of(first);
    const vm = await alice.running('web');
    await first[Symbol.asyncDispose]();
    await powerCut(first);
    // The lease runs out while the hypervisor is not up yet.
    const next = await open({ bootId: 'boot-2', wrapDriver: unasked() });
    next.clock.advance(DAY);
    asked = true;
    await next.vms.reconcile();
    expect(await stateOf(next, vm.id)).toBe('stopped');
    expect(next.store.vms.get(vm.id)?.hold).toMatchObject({ why: 'lease', ran: true });
  });

  test('waits for a hypervisor that is not up yet', async () => {
    const first = await open();
    const vm = await (await Requestor.of(first)).running('web');
    await first[Symbol.asyncDispose]();
    await powerCut(first);
    const next = await open({ bootId: 'boot-2', wrapDriver: unasked() });
    expect(await stateOf(next, vm.id)).toBe('running');
    expect(next.vms.closed()).toMatch('hypervisor');
    asked = true;
    await next.vms.reconcile();
    expect(await stateOf(next, vm.id)).toBe('running');
    expect((await next.driver.inspect(vm.id)).state).toBe('running');
  });

  let asked = false;
  const unasked = () => {
    asked = false;
    return (driver: Driver) =>
      overlay(driver, {
        list: async () => {
          if (!asked) throw new Error('not up yet');
          return driver.list();
        },
      });
  };
});

describe('a guest that belongs to no VM', () => {
  /** Behind the agent's back. */
  async function stray(vmId = newVmId()): Promise<string> {
    const driver = await createMemoryDriver({ stateDir: join(dir, 'guests') });
    const hostKey = await generateOpenSshKeyPair();
    const seed = renderSeed({
      ...{ instanceId: `i-${vmId}`, hostname: 'stray', sshKeys: [], hostKey, userData: undefined },
    });
    await driver.launch(
      {
        ...{ vmId, cpus: 1, memoryMiB: 512, storageGiB: 5 },
        ...{ image: memoryImage, seed, hostKey: hostKey.publicKey },
      },
      { signal, onStage: () => {} },
    );
    return vmId;
  }

  const idsOf = async ({ driver }: TestProvider) => (await driver.list()).map(({ vmId }) => vmId);

  test('is reported, and never removed by itself when the store does not know it', async () => {
    const vmId = await stray();
    const provider = await open();
    expect(provider.vms.operator.orphans()).toMatchObject([
      { vmId, state: 'running', removedAt: undefined },
    ]);
    const { firstSeen } = provider.vms.operator.orphans()[0] ?? {};
    for (let week = 0; week < 10; week += 1) {
      provider.clock.advance(7 * DAY);
      await provider.vms.reconcile();
      await provider.vms.operations.idle();
    }
    expect(await idsOf(provider)).toEqual([vmId]);
    expect(provider.vms.operator.orphans()[0]?.firstSeen).toBe(firstSeen);
  });

  test('is a tenant’s when the store was lost: all of them stay', async () => {
    const first = await open();
    const alice = await Requestor.of(first);
    const vms = [await alice.running('one'), await alice.running('two')];
    await first[Symbol.asyncDispose]();
    await rm(join(dir, 'provider.db'));
    const next = await open();
    next.clock.advance(60 * DAY);
    await next.vms.reconcile();
    await next.vms.operations.idle();
    expect(await idsOf(next)).toEqual(vms.map(({ id }) => id).sort());
    expect(
      next.vms.operator
        .orphans()
        .map(({ vmId }) => vmId)
        .sort(),
    ).toEqual(vms.map(({ id }) => id).sort());
  });

  test('is removed after a week of reports when this store has seen the end of its VM', async () => {
    const provider = await open();
    const alice = await Requestor.of(provider);
    const vm = await alice.running('web');
    const { body } = await alice.call('DELETE', paths.vm(provider.id, vm.id));
    await alice.follow((body as Accepted).operation);
    await stray(vm.id);
    await provider.vms.reconcile();
    const [orphan] = provider.vms.operator.orphans();
    expect(orphan?.removedAt).toBe((orphan?.firstSeen ?? 0) + 7 * DAY);
    provider.clock.advance(7 * DAY - 60_000);
    await provider.vms.reconcile();
    await provider.vms.operations.idle();
    expect(await idsOf(provider)).toEqual([vm.id]);
    provider.clock.advance(60_000);
    await provider.vms.reconcile();
    await provider.vms.operations.idle();
    expect(await idsOf(provider)).toEqual([]);
    await provider.vms.reconcile();
    expect(provider.vms.operator.orphans()).toEqual([]);
  });

  test('is removed by the operator’s word, and nothing else is', async () => {
    const vmId = await stray();
    const provider = await open();
    const alice = await Requestor.of(provider);
    const vm = await alice.running('web');
    const { operator } = provider.vms;
    await expect(operator.removeOrphan(vm.id)).rejects.toMatchObject({ code: 'vm_not_found' });
    await operator.removeOrphan(vmId);
    expect(await idsOf(provider)).toEqual([vm.id]);
    expect(operator.orphans()).toEqual([]);
  });

  test('that vanishes is no longer reported, and is told of anew when it comes back', async () => {
    const vmId = await stray();
    const provider = await open();
    await provider.driver.destroy(vmId);
    await provider.vms.reconcile();
    expect(provider.vms.operator.orphans()).toEqual([]);
    provider.clock.advance(DAY);
    await stray(vmId);
    await provider.vms.reconcile();
    expect(provider.vms.operator.orphans()).toHaveLength(1);
  });
});
