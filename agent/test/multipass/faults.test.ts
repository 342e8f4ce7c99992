/** What goes wrong between the driver and Multipass: nothing leaks, nothing of others is touched. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DriverErrorCode } from '../../src/drivers/driver.ts';
import { createMultipassDriver } from '../../src/drivers/multipass/driver.ts';
import { Bench, memorySpec, nameOf, patience } from './bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench[Symbol.asyncDispose]());

const fails = async (work: Promise<unknown>, code: DriverErrorCode) =>
  expect(work).rejects.toMatchObject({ name: 'DriverError', code });
const stopping = () => ({ graceMs: 5_000, signal: AbortSignal.timeout(20_000) });
const records = async (name = 'guests') =>
  (await readdir(join(bench.dir, name))).filter((file) => file.startsWith('vm_'));

describe('a daemon that is down', { timeout: 60_000 }, () => {
  test('makes guests unknown, and nothing is begun or given up', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    await driver.launch({ vmId, ...spec }, patience());
    await bench.standIn.down();
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'unknown' });
    await fails(driver.list(), 'unavailable');
    await fails(driver.launch(await memorySpec(), patience()), 'unavailable');
    await fails(driver.start(vmId, patience()), 'unavailable');
    await fails(driver.stop(vmId, stopping()), 'unavailable');
    await fails(driver.suspend(vmId, AbortSignal.timeout(5_000)), 'unavailable');
    await fails(driver.destroy(vmId), 'unavailable');
    expect(await records()).toEqual([`${vmId}.json`]);
    await bench.standIn.up();
    expect(await driver.list()).toEqual([{ vmId, state: 'running' }]);
    await driver.destroy(vmId);
    expect(await bench.instances()).toEqual({});
  });

  test('is no reason to forget what it was', async () => {
    const before = await bench.driver();
    const facts = await before.facts();
    await bench.standIn.down();
    const driver = await bench.driver();
    expect([...driver.capabilities]).toEqual([...before.capabilities]);
    expect(await driver.facts()).toEqual(facts);
    await fails(bench.driver('another'), 'unavailable');
  });
});

describe('a program that does not do its work', { timeout: 60_000 }, () => {
  test('and hangs is waited for as long as that was meant to be', async () => {
    const driver = await bench.driver('guests', 500);
    const { vmId, ...spec } = await memorySpec();
    await driver.launch({ vmId, ...spec }, patience());
    await bench.standIn.broken({ client: 'hang' });
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'unknown' });
    await fails(driver.list(), 'unavailable');
    await fails(driver.stop(vmId, stopping()), 'unavailable');
  });

  test.each(['junk', 'cut', 'mute', 'idle', 'crash', 'flood'] as const)(
    'and answers by %s says nothing about a guest',
    async (client) => {
      const driver = await bench.driver();
      const { vmId, ...spec } = await memorySpec();
      await driver.launch({ vmId, ...spec }, patience());
      const broken = await bench.standIn.broken({ client });
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'unknown' });
      const listed = driver.list().catch((error: { code: string }) => error.code);
      expect([[{ vmId, state: 'unknown' }], 'unavailable']).toContainEqual(await listed);
      await expect(driver.stop(vmId, stopping())).rejects.toMatchObject({ name: 'DriverError' });
      expect(await records()).toEqual([`${vmId}.json`]);
      await broken[Symbol.asyncDispose]();
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'running' });
    },
  );

  test('and is killed in a launch leaves one that goes on, and is removed', async () => {
    const driver = await bench.driver();
    const spec = await memorySpec();
    const faults = { client: 'crash', commands: ['launch'], prepareMillis: 2_000 } as const;
    const broken = await bench.standIn.broken(faults);
    await fails(driver.launch(spec, patience()), 'unavailable');
    expect([...bench.standIn.daemon.preparing]).toEqual([nameOf(spec.vmId)]);
    await broken[Symbol.asyncDispose]();
    await driver.destroy(spec.vmId);
    expect(await bench.instances()).toEqual({});
    expect(await records()).toEqual([]);
  });

  test('and lies about a removal is not believed', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    await driver.launch({ vmId, ...spec }, patience());
    const broken = await bench.standIn.broken({ client: 'idle', commands: ['delete'] });
    await fails(driver.destroy(vmId), 'failed');
    await broken[Symbol.asyncDispose]();
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'running' });
    expect(await records()).toEqual([`${vmId}.json`]);
  });
});

describe('a launch', { timeout: 60_000 }, () => {
  test('that takes too long (5) is unknown while it is prepared, then removed', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    const faults = { timeoutSeconds: 0.2, prepareMillis: 4_000 };
    await bench.standIn.broken(faults);
    await fails(driver.launch({ vmId, ...spec }, patience()), 'timeout');
    // No command of Multipass sees it yet.
    expect(await bench.instances()).toEqual({});
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'unknown' });
    expect(await driver.list()).toEqual([{ vmId, state: 'unknown' }]);
    await fails(driver.start(vmId, patience()), 'unavailable');
    await driver.destroy(vmId);
    expect([...bench.standIn.daemon.preparing]).toEqual([]);
    expect(await bench.instances()).toEqual({});
    expect(await records()).toEqual([]);
  });

  test('whose guest does not answer (2) leaves it, and it is removed', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    await bench.standIn.broken({ silent: true });
    await fails(driver.launch({ vmId, ...spec }, patience()), 'timeout');
    expect(await bench.instances()).toEqual({ [nameOf(vmId)]: 'Unknown' });
    expect(await driver.list()).toEqual([{ vmId, state: 'unknown' }]);
    await driver.destroy(vmId);
    expect(await bench.instances()).toEqual({});
  });

  test('that Multipass refuses says why, and leaves nothing', async () => {
    const driver = await bench.driver();
    const spec = await memorySpec();
    const disk = join(bench.dir, 'no-such-image.qcow2');
    const launched = driver.launch({ ...spec, image: { ...spec.image, disk } }, patience());
    await expect(launched).rejects.toMatchObject({
      ...{
        code: 'failed',
        message: expect.stringContaining('Multipass cannot read the image'),
      },
    });
    await driver.destroy(spec.vmId);
    expect(await bench.instances()).toEqual({});
    expect(await records()).toEqual([]);
  });

  test('that an agent did not see the end of is taken up by the next', async () => {
    const first = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    const broken = await bench.standIn.broken({ prepareMillis: 2_000 });
    const abort = new AbortController();
    const launching = first.launch({ vmId, ...spec }, { ...patience(), signal: abort.signal });
    await expect.poll(() => bench.standIn.daemon.preparing.size, { timeout: 10_000 }).toBe(1);
    abort.abort();
    await fails(launching, 'aborted');
    await broken[Symbol.asyncDispose]();
    const second = await bench.driver();
    expect(await second.inspect(vmId)).toEqual({ vmId, state: 'unknown' });
    await expect
      .poll(async () => (await second.inspect(vmId)).state, { timeout: 20_000 })
      .toBe('running');
    await second.start(vmId, patience());
    await second.destroy(vmId);
  });

  test('waits for a guest that has no address yet', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    const broken = await bench.standIn.broken({ noAddress: true });
    const stages: string[] = [];
    const onStage = (stage: string) => {
      stages.push(stage);
      if (stage === 'ssh') setTimeout(() => void broken[Symbol.asyncDispose](), 300);
    };
    await driver.launch({ vmId, ...spec }, { ...patience(), onStage });
    expect(stages).toEqual(['disk', 'boot', 'ssh']);
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'running' });
  });

  test('whose guest ends before it answers has failed', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    await bench.standIn.broken({ noAddress: true });
    const onStage = (stage: string) => {
      if (stage === 'ssh') void bench.operator('stop', nameOf(vmId));
    };
    await expect(
      driver.launch({ vmId, ...spec }, { ...patience(), onStage }),
    ).rejects.toMatchObject({
      ...{ code: 'failed', message: 'The guest ended while it was starting.' },
    });
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'stopped' });
  });

  test('hands over the host name and the keys, and Multipass adds its own', async () => {
    const driver = await bench.driver();
    const spec = await memorySpec();
    await driver.launch(spec, patience());
    const { userData } = bench.standIn.daemon.instances.get(nameOf(spec.vmId))!.saved;
    expect(userData).toMatch(/^#cloud-config\nhostname: web\n/);
    expect(userData).toContain('ubuntu@localhost');
    expect(userData).toContain('BEGIN OPENSSH PRIVATE KEY');
    const files = await readdir(join(bench.dir, 'guests'));
    expect(files.sort()).toEqual(['multipass.json', `${spec.vmId}.json`]);
  });
});

test('a guest leads nobody to another machine', { timeout: 60_000 }, async () => {
  const first = await bench.driver();
  const [spec, other] = [await memorySpec(), await memorySpec()];
  await first.launch(spec, patience());
  await first.launch(other, patience());
  const { saved } = bench.standIn.daemon.instances.get(nameOf(other.vmId))!;
  await bench.standIn.broken({ address: saved.address! });
  // Where it proved its key it is reached, whatever it says; an agent that starts anew does not know.
  (await first.dial(spec.vmId, AbortSignal.timeout(10_000))).destroy();
  const second = await bench.driver();
  await fails(second.dial(spec.vmId, AbortSignal.timeout(10_000)), 'failed');
  (await second.dial(other.vmId, AbortSignal.timeout(10_000))).destroy();
  const third = await memorySpec();
  await expect(first.launch(third, patience())).rejects.toMatchObject({
    message: 'The guest does not have the host key it was given.',
  });
});

describe('a name', { timeout: 60_000 }, () => {
  test('that a deleted instance has is taken, and that instance is left alone', async () => {
    const driver = await bench.driver();
    const spec = await memorySpec();
    const name = nameOf(spec.vmId);
    expect(await bench.operator('launch', '--name', name)).toMatchObject({ code: 0 });
    expect(await bench.operator('delete', name)).toMatchObject({ code: 0 });
    await fails(driver.launch(spec, patience()), 'exists');
    await driver.destroy(spec.vmId);
    expect(await bench.instances()).toEqual({ [name]: 'Deleted' });
  });

  test('that two want at once is given to one, and the other removes nothing', async () => {
    const [first, second] = [await bench.driver('first'), await bench.driver('second')];
    const spec = await memorySpec();
    await bench.standIn.broken({ prepareMillis: 1_000 });
    const launches = [first, second].map((driver) => driver.launch(spec, patience()));
    const results = await Promise.allSettled(launches);
    const won = results.findIndex(({ status }) => status === 'fulfilled');
    const lost = 1 - won;
    expect(results[lost]).toMatchObject({ status: 'rejected', reason: { code: 'exists' } });
    await [first, second][lost]!.destroy(spec.vmId);
    expect(await bench.instances()).toEqual({ [nameOf(spec.vmId)]: 'Running' });
    expect(await records(['first', 'second'][lost])).toEqual([]);
    expect(await [first, second][won]!.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
  });

  test('that one driver is asked for twice at once is launched once', async () => {
    const driver = await bench.driver();
    const spec = await memorySpec();
    const launches = [driver.launch(spec, patience()), driver.launch(spec, patience())];
    const results = await Promise.allSettled(launches);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
  });
});

describe("an operator's own instances", { timeout: 60_000 }, () => {
  test('are never listed, touched or removed, even with a name like ours', async () => {
    const driver = await bench.driver();
    const foreign = await memorySpec();
    await bench.operator('launch', '--name', 'primary');
    await bench.operator('launch', '--name', nameOf(foreign.vmId));
    expect(await driver.list()).toEqual([]);
    expect(await driver.inspect(foreign.vmId)).toMatchObject({ state: 'absent' });
    await fails(driver.stop(foreign.vmId, stopping()), 'absent');
    await fails(driver.dial(foreign.vmId, AbortSignal.timeout(5_000)), 'absent');
    await fails(driver.launch(foreign, patience()), 'exists');
    await driver.destroy(foreign.vmId);
    expect(await bench.instances()).toEqual({
      ...{ primary: 'Running', [nameOf(foreign.vmId)]: 'Running' },
    });
  });
});

describe('a guest that its operator', { timeout: 60_000 }, () => {
  test('deleted is stopped, and comes back with its next start', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    await driver.launch({ vmId, ...spec }, patience());
    await bench.operator('delete', nameOf(vmId));
    expect(await driver.list()).toEqual([{ vmId, state: 'stopped' }]);
    await fails(driver.dial(vmId, AbortSignal.timeout(5_000)), 'not_running');
    await driver.start(vmId, patience());
    expect(await bench.instances()).toEqual({ [nameOf(vmId)]: 'Running' });
    await bench.operator('delete', nameOf(vmId));
    await driver.destroy(vmId);
    expect(await bench.instances()).toEqual({});
  });

  test('purged is absent', async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    await driver.launch({ vmId, ...spec }, patience());
    await bench.operator('delete', '--purge', nameOf(vmId));
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'absent' });
    expect(await driver.list()).toEqual([]);
    await fails(driver.start(vmId, patience()), 'absent');
    await driver.destroy(vmId);
    expect(await records()).toEqual([]);
  });

  test.each(['Unavailable', 'Suspending', 'Hibernating'])(
    'sees as %s is unknown',
    async (state) => {
      const driver = await bench.driver();
      const { vmId, ...spec } = await memorySpec();
      await driver.launch({ vmId, ...spec }, patience());
      await bench.standIn.broken({ state });
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'unknown' });
      expect(await driver.list()).toEqual([{ vmId, state: 'unknown' }]);
    },
  );
});

test(
  'a damaged record hides no guest, and can be removed with it',
  { timeout: 60_000 },
  async () => {
    const driver = await bench.driver();
    const { vmId, ...spec } = await memorySpec();
    await driver.launch({ vmId, ...spec }, patience());
    await writeFile(join(bench.dir, 'guests', `${vmId}.json`), '{"cpus":');
    expect(await driver.list()).toEqual([{ vmId, state: 'running' }]);
    await fails(driver.start(vmId, patience()), 'unavailable');
    await driver.destroy(vmId);
    expect(await bench.instances()).toEqual({});
    expect(await records()).toEqual([]);
  },
);

test('no command is used that starts a guest behind our back', { timeout: 60_000 }, async () => {
  const driver = await bench.driver();
  const { vmId, ...spec } = await memorySpec();
  await driver.launch({ vmId, ...spec }, patience());
  await driver.stop(vmId, stopping());
  await driver.inspect(vmId);
  await driver.list();
  await driver.console(vmId, 100);
  await driver.usage(vmId);
  await driver.snapshots(vmId);
  await fails(driver.dial(vmId, AbortSignal.timeout(5_000)), 'not_running');
  expect(await bench.instances()).toEqual({ [nameOf(vmId)]: 'Stopped' });
  expect(new Set(bench.standIn.daemon.asked)).toEqual(
    new Set(['version', 'get', 'info', 'list', 'launch', 'stop']),
  );
});

describe('a Multipass', { timeout: 60_000 }, () => {
  const scripted = async (version: string, hypervisor: string) => {
    const program = join(bench.dir, `multipass-${version}-${hypervisor}`);
    const json = JSON.stringify({ multipass: version, multipassd: version });
    const script = `#!/bin/sh\n[ "$1" = get ] && echo ${hypervisor} || echo '${json}'\n`;
    await writeFile(program, script, { mode: 0o755 });
    const stateDir = join(bench.dir, `${version}-${hypervisor}`);
    return createMultipassDriver({ stateDir, program, accelerator: 'kvm' });
  };

  test.each([
    ['1.13.1', 'qemu', ['resize', 'suspend', 'snapshot']],
    ['1.14.1+mac', 'virtualbox', ['resize', 'suspend', 'snapshot']],
    ['1.15.1', 'lxd', ['resize']],
    ['1.13.0', 'libvirt', ['resize', 'suspend']],
    ['1.17.0-dev.44+g1a2b3c', 'qemu', ['resize', 'suspend', 'snapshot']],
    ['2.0.0', '"<empty>"', ['resize']],
  ])('%s on %s can do %j', async (version, hypervisor, capabilities) => {
    const driver = await scripted(version, hypervisor);
    expect([...driver.capabilities]).toEqual(capabilities);
    expect(await driver.facts()).toMatchObject({ version, isolation: 'none' });
  });

  test.each(['1.12.2', '0.9', 'junk'])('%s is too old, or none', async (version) => {
    await expect(scripted(version, 'qemu')).rejects.toMatchObject({ code: 'unavailable' });
  });
});
