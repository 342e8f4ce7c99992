/** The agent is killed at each step of a suspension and of a resumption, and so is QEMU. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SshClient } from '../../src/drivers/conformance/openssh.ts';
import type { Driver, GuestSpec, GuestState } from '../../src/drivers/driver.ts';
import { createQemuDriver } from '../../src/drivers/qemu/driver.ts';
import { guestFolder } from '../../src/drivers/qemu/folder.ts';
import type { SuspendStep } from '../../src/drivers/qemu/suspend.ts';
import { patience, tinyGuest } from './spec.ts';

const IN_MEMORY = '/dev/shm/kept';

describe('a suspension that is cut short', { timeout: 120_000 }, () => {
  let dir: string;
  let stateDir: string;
  let ssh: SshClient;
  let spec: GuestSpec;
  let driver: Driver;

  const open = async () => {
    driver = await createQemuDriver({ stateDir, allowEmulation: true });
  };
  const says = async (command: string, stdin?: string) => {
    const input = stdin === undefined ? undefined : Buffer.from(stdin);
    const { exitCode, stdout } = await ssh.run(driver, spec, command, input);
    return exitCode === 0 ? stdout.toString().trim() : undefined;
  };
  const state = async () => (await driver.inspect(spec.vmId)).state;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'golem-'));
    stateDir = join(dir, 'guests');
    ssh = await SshClient.create(dir);
    spec = await tinyGuest(join(dir, 'images'), ssh.publicKey);
    await open();
    await driver.launch(spec, patience());
  }, 120_000);
  afterAll(async () => {
    await driver.destroy(spec.vmId);
    await driver[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** Runs the operation in a process of its own, up to the step at which that is killed. */
  const cutShort = async (operation: string, step: SuspendStep, victims: string) => {
    await driver[Symbol.asyncDispose]();
    const program = join(import.meta.dirname, 'suspender.ts');
    const args = [program, stateDir, spec.vmId, operation, step, victims];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    await open();
  };

  const cases: [string, SuspendStep, string, GuestState][] = [
    ['suspend', 'paused', 'agent', 'running'],
    ['suspend', 'paused', 'both', 'stopped'],
    ['suspend', 'saved', 'agent', 'running'],
    ['suspend', 'saved', 'both', 'stopped'],
    ['suspend', 'marked', 'agent', 'suspended'],
    ['suspend', 'marked', 'both', 'suspended'],
    ['suspend', 'ended', 'agent', 'suspended'],
    ['start', 'started', 'agent', 'suspended'],
    ['start', 'started', 'both', 'suspended'],
    ['start', 'loaded', 'agent', 'suspended'],
    ['start', 'loaded', 'both', 'suspended'],
    ['start', 'unmarked', 'agent', 'running'],
    ['start', 'unmarked', 'both', 'stopped'],
    ['start', 'going-on', 'agent', 'running'],
    ['start', 'going-on', 'both', 'stopped'],
  ];

  test.each(cases)(
    '%s, after %s, %s killed: the guest is %s',
    async (operation, step, victims, expected) => {
      await driver.start(spec.vmId, patience());
      const word = `${operation} ${step} ${victims}`;
      await says(`cat > ${IN_MEMORY}`, word);
      await says('cat > kept && sync', word);
      if (operation === 'start') await driver.suspend(spec.vmId, patience().signal);

      await cutShort(operation, step, victims);
      expect(await state()).toBe(expected);
      await driver.start(spec.vmId, patience());
      expect(await says('cat kept')).toBe(word);
      expect(await says(`cat ${IN_MEMORY}`)).toBe(expected === 'stopped' ? undefined : word);
      // A memory that was used, or whose guest was booted, is not there to be used again.
      expect(await readdir(guestFolder(stateDir, spec.vmId).path)).not.toContain('memory.qcow2');
      expect(await says('dmesg | grep -c "EXT4-fs error" || true')).toBe('0');
    },
  );

  test('a suspension that is aborted goes back to a guest that runs', async () => {
    await driver.start(spec.vmId, patience());
    await says(`cat > ${IN_MEMORY}`, 'before');
    await driver[Symbol.asyncDispose]();
    const abort = new AbortController();
    driver = await createQemuDriver({
      stateDir,
      allowEmulation: true,
      atSuspendStep: async (step) => {
        if (step === 'paused') abort.abort();
      },
    });
    const suspended = driver.suspend(spec.vmId, abort.signal);
    await expect(suspended).rejects.toMatchObject({ code: 'aborted' });
    expect(await state()).toBe('running');
    expect(await says(`cat ${IN_MEMORY}`)).toBe('before');
    await driver.suspend(spec.vmId, patience().signal);
    await driver.start(spec.vmId, patience());
    expect(await says(`cat ${IN_MEMORY}`)).toBe('before');
  });

  test('a memory that cannot be loaded is kept, until its owner throws it away', async () => {
    await driver.start(spec.vmId, patience());
    await driver.suspend(spec.vmId, patience().signal);
    const { memory } = guestFolder(stateDir, spec.vmId);
    await rename(memory, `${memory}.away`);
    await expect(driver.start(spec.vmId, patience())).rejects.toMatchObject({ code: 'failed' });
    expect(await state()).toBe('suspended');
    await rename(`${memory}.away`, memory);
    await driver.start(spec.vmId, patience());
    expect(await state()).toBe('running');
  });
});
