/** The conformance suite on real guests, and what only real guests can show. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDriver } from '../../src/drivers/conformance/suite.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import { createQemuDriver } from '../../src/drivers/qemu/driver.ts';
import { qemuFaults } from './faults.ts';
import { patience, tinyGuest } from './spec.ts';

const run = promisify(execFile);

let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'golem-images-'));
});
afterAll(() => rm(cacheDir, { recursive: true, force: true }));

const guestSpec = (authorizedKey: string) => tinyGuest(cacheDir, authorizedKey);

testDriver({
  name: 'qemu',
  capabilities: ['suspend', 'snapshot', 'resize'],
  measures: ['cpuSeconds', 'memoryBytes', 'diskBytes'],
  open: (stateDir) => createQemuDriver({ stateDir, allowEmulation: true }),
  prepareSpec: guestSpec,
  powerOff: 'poweroff',
  timeouts: { bootMillis: 60_000, graceMillis: 15_000 },
  faults: qemuFaults,
});

describe('a guest of QEMU', { timeout: 120_000 }, () => {
  let dir: string;
  let driver: Driver;
  const open = () =>
    createQemuDriver({
      stateDir: join(dir, 'guests'),
      allowEmulation: true,
      templates: join(dir, 'templates'),
    });

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'golem-'));
    driver = await open();
  });
  afterAll(async () => {
    for (const { vmId } of await driver.list()) await driver.destroy(vmId);
    await driver[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  const launch = async () => {
    const spec = await guestSpec((await generateOpenSshKeyPair()).publicKey);
    await driver.launch(spec, patience());
    return spec.vmId;
  };
  const pidOf = async (vmId: string) =>
    Number(await readFile(join(dir, 'guests', vmId, 'qemu.pid'), 'utf8'));

  test('starts warm from a template, each with a key and a disk of its own', async () => {
    const [first, second] = [await launch(), await launch()];
    expect(await driver.list()).toHaveLength(2);
    const { bytes } = await driver.console(second, 4096);
    expect(bytes.toString()).toContain('golem-guest: ready');
    await Promise.all([driver.destroy(first), driver.destroy(second)]);
  });

  test('whose QEMU is killed is stopped, not gone, and starts again', async () => {
    const vmId = await launch();
    process.kill(await pidOf(vmId), 'SIGKILL');
    await expect.poll(async () => (await driver.inspect(vmId)).state).toBe('stopped');
    await driver.start(vmId, patience());
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'running' });
    await driver.destroy(vmId);
  });

  test('is of unknown state while somebody else holds its control socket', async () => {
    const vmId = await launch();
    await using other = await open();
    expect(await other.inspect(vmId)).toEqual({ vmId, state: 'unknown' });
    expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'running' });
    await driver.destroy(vmId);
  });

  test('is not there for whoever listens on the host', async () => {
    const vmId = await launch();
    const pid = await pidOf(vmId);
    const { stdout } = await run('ss', ['-ltnpH']);
    const sockets = stdout.split('\n').filter((line) => line.includes(`pid=${pid},`));
    expect(sockets).toHaveLength(1);
    expect(sockets[0]).toMatch(/127\.0\.0\.1:\d+/);
    await driver.destroy(vmId);
  });

  test('is refused without hardware virtualisation unless emulation is allowed', async () => {
    await using strict = await createQemuDriver({
      stateDir: join(dir, 'strict'),
      allowEmulation: false,
    });
    const { accelerator } = await strict.facts();
    const spec = await guestSpec((await generateOpenSshKeyPair()).publicKey);
    const launched = strict.launch(spec, patience());
    if (accelerator === 'tcg')
      await expect(launched).rejects.toMatchObject({ code: 'unavailable' });
    else await launched;
    await strict.destroy(spec.vmId);
    expect(await strict.list()).toEqual([]);
  });
});
