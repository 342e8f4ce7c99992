/** The life of one VM on a real guest, by what its owner signs: nothing that it holds is ever lost. */
import { join } from 'node:path';
import { paths, type VmAction } from '@vm-on-golem/shared/api';
import type { Vm } from '@vm-on-golem/shared/vm';
import { statsSchema } from '@vm-on-golem/shared/vm-commands';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SshClient } from '../../src/drivers/conformance/openssh.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import { createQemuDriver } from '../../src/drivers/qemu/driver.ts';
import {
  overlay,
  Requestor,
  scratchFolder,
  startProvider,
  type TestProvider,
} from '../provider.ts';
import { tinyGuest } from './spec.ts';

const DAY = 24 * 3600_000;
let cleanup: AsyncDisposableStack;
let dir: string;
let driver: Driver;
let provider: TestProvider;
let alice: Requestor;
let client: SshClient;
let vm: Vm;

/** An agent that starts in the folder of the last one. */
async function open(bootId: string): Promise<void> {
  const { image } = await tinyGuest(join(dir, 'images'), client.publicKey);
  const images = { list: () => [image], resolve: async () => image };
  // Its guests outlive the agent, and so does the driver here.
  const wrapDriver = () => overlay(driver, { [Symbol.asyncDispose]: async () => {} });
  provider = await startProvider({ dir, bootId, images, wrapDriver });
  alice = alice ? new Requestor(alice.identity, provider) : await Requestor.of(provider);
}

beforeAll(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
  client = await SshClient.create(dir);
  driver = await createQemuDriver({ stateDir: join(dir, 'qemu'), allowEmulation: true });
  cleanup.defer(async () => {
    for (const { vmId } of await driver.list()) await driver.destroy(vmId);
    await driver[Symbol.asyncDispose]();
  });
  await open('boot-1');
  cleanup.defer(() => provider[Symbol.asyncDispose]());
  vm = await alice.running('web', {
    image: 'debian-12-tiny',
    resources: { cpus: 1, memoryMiB: 128, storageGiB: 1 },
    sshKeys: [client.publicKey],
  });
}, 120_000);
afterAll(() => cleanup.disposeAsync());

async function inside(command: string): Promise<string> {
  const { image } = await tinyGuest(join(dir, 'images'), client.publicKey);
  const spec = { vmId: vm.id, image: { ...image, user: vm.user }, hostKey: vm.hostKey };
  const { stdout } = await client.run(driver, spec, command);
  return stdout.toString().trim();
}

const act = async (action: VmAction, body?: unknown) => {
  const page = await alice.done('POST', paths.vmAction(provider.id, vm.id, action), body);
  if (page.state !== 'succeeded') throw new Error(`${action}: ${JSON.stringify(page.error)}`);
  return page.vm;
};
const bootOf = () => inside('cat /proc/sys/kernel/random/boot_id');

describe('a VM', { timeout: 180_000 }, () => {
  test('goes on where it was when it was suspended', async () => {
    await inside('echo one > note; sync');
    const boot = await bootOf();
    expect(await act('suspend')).toMatchObject({ state: 'suspended' });
    expect(await act('start')).toMatchObject({ state: 'running' });
    expect(await bootOf()).toBe(boot);
  });

  test('says what it uses, and what it has said', async () => {
    const part = (name: 'stats' | 'console') =>
      alice.call('GET', paths.vmPart(provider.id, vm.id, name));
    const { cpuSeconds, diskBytes } = statsSchema.parse((await part('stats')).body);
    expect([Number(cpuSeconds) > 0, Number(diskBytes) > 0]).toEqual([true, true]);
    expect(((await part('console')).body as { text: string }).text).toContain('golem-guest: ready');
  });

  test('has its new size after a resize, and what its disk held', async () => {
    await act('stop');
    const snapshot = await alice.done('POST', paths.vmPart(provider.id, vm.id, 'snapshots'), {
      name: 'one',
    });
    expect(snapshot.state).toBe('succeeded');
    const resources = { cpus: 2, memoryMiB: 192, storageGiB: 2 };
    expect(await act('resize', { resources })).toMatchObject({ state: 'stopped', resources });
    await act('start');
    expect(await inside('nproc; cat note')).toBe('2\none');
  });

  test('is booted anew by a restart, and taken back to a snapshot', async () => {
    const boot = await bootOf();
    await inside('echo two > note; sync');
    await act('restart');
    expect(await bootOf()).not.toBe(boot);
    expect(await inside('cat note')).toBe('two');
    await act('stop');
    const restored = await alice.done('POST', paths.restore(provider.id, vm.id, 'one'));
    expect(restored.state).toBe('succeeded');
    await act('start');
    expect(await inside('cat note')).toBe('one');
  });

  test('comes back when the host was restarted under it', async () => {
    await provider[Symbol.asyncDispose]();
    await driver.stop(vm.id, { graceMs: 0, signal: AbortSignal.timeout(30_000) });
    await open('boot-2');
    expect(provider.store.vms.get(vm.id)?.phase).toBe('starting');
    await provider.vms.operations.idle();
    expect(provider.store.vms.get(vm.id)?.phase).toBe('running');
    expect(await inside('cat note')).toBe('one');
  });

  test('is stopped when its lease ends, and brought back by a renewal', async () => {
    provider.clock.advance(DAY);
    await provider.vms.reconcile();
    await provider.vms.operations.idle();
    expect(await driver.inspect(vm.id)).toEqual({ vmId: vm.id, state: 'stopped' });
    await alice.call('POST', paths.vmAction(provider.id, vm.id, 'renew'), { body: {} });
    await provider.vms.operations.idle();
    expect(await inside('cat note')).toBe('one');
  });

  test('is gone without a trace when its operator evicts it', async () => {
    const operation = provider.vms.operator.evict('web', 'The test is over.');
    expect(await alice.follow(operation)).toMatchObject({ state: 'succeeded', vm: null });
    expect(await driver.list()).toEqual([]);
  });
});
