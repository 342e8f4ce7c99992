/** What every driver must do, as one suite: `testDriver` is called by the tests of each. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { newVmId } from '@vm-on-golem/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Driver, DriverErrorCode, GuestSpec, LaunchStage } from './driver.ts';
import { SshClient, Stranger } from './openssh.ts';

export interface DriverUnderTest {
  readonly name: string;
  /** Opens a driver on a folder that may hold guests of an earlier one. */
  open(stateDir: string): Promise<Driver>;
  /** A guest that was never launched, with an id of its own, that lets `authorizedKey` in. */
  prepareSpec(authorizedKey: string): Promise<GuestSpec>;
  readonly timeouts: {
    /** From launch or start to SSH. */
    readonly bootMillis: number;
    /** For a shutdown from within, before the plug is pulled. */
    readonly graceMillis: number;
  };
}

/** The tests share one guest, in order: where instructions are emulated a boot takes seconds. */
export function testDriver(subject: DriverUnderTest): void {
  const { bootMillis, graceMillis } = subject.timeouts;
  const slow = bootMillis + graceMillis + 10_000;

  describe(`the ${subject.name} driver`, { timeout: slow }, () => {
    let scratch: string;
    let stateDir: string;
    let driver: Driver;
    let spec: GuestSpec;
    let ssh: SshClient;

    beforeAll(async () => {
      scratch = await mkdtemp(join(tmpdir(), 'golem-'));
      stateDir = join(scratch, 'guests');
      driver = await subject.open(stateDir);
      ssh = await SshClient.create(scratch);
      spec = await subject.prepareSpec(ssh.publicKey);
    });
    afterAll(async () => {
      for (const { vmId } of await driver.list()) await driver.destroy(vmId);
      await driver[Symbol.asyncDispose]();
      await rm(scratch, { recursive: true, force: true });
    }, slow);

    const boot = (stages: LaunchStage[] = []) => ({
      signal: AbortSignal.timeout(bootMillis),
      onStage: (stage: LaunchStage) => void stages.push(stage),
    });
    const stopping = () => ({ graceMs: graceMillis, signal: AbortSignal.timeout(slow) });
    const fails = async (work: Promise<unknown>, code: DriverErrorCode) =>
      expect(work).rejects.toMatchObject({ name: 'DriverError', code });
    const signal = () => AbortSignal.timeout(bootMillis);
    /** What there is of a guest, on disk and to the driver. */
    const remainsOf = async (vmId: string) => {
      const { state } = await driver.inspect(vmId);
      const listed = (await driver.list()).filter((guest) => guest.vmId === vmId);
      const files = (await readdir(stateDir)).filter((name) => name.includes(vmId));
      return { state, listed, files };
    };
    const nothing = { state: 'absent', listed: [], files: [] };

    test('says what it runs on', async () => {
      const facts = await driver.facts();
      expect(facts.arch).toBe(spec.image.arch);
      expect(facts.version).toMatch(/^\d/);
    });

    test('knows of no guest that was never launched', async () => {
      const vmId = newVmId();
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'absent' });
      expect(await driver.list()).toEqual([]);
      expect(await driver.console(vmId, 1000)).toBe('');
      await driver.destroy(vmId);
      await fails(driver.start(vmId, boot()), 'absent');
      await fails(driver.stop(vmId, stopping()), 'absent');
      await fails(driver.dial(vmId, signal()), 'absent');
    });

    test('refuses what is no VM id, before it becomes a path', async () => {
      for (const vmId of ['../escape', '-option', '', 'vm_short']) {
        await fails(driver.inspect(vmId), 'failed');
        await fails(driver.launch({ ...spec, vmId }, boot()), 'failed');
        await fails(driver.destroy(vmId), 'failed');
      }
      expect(await readdir(scratch)).toContain('guests');
    });

    test('launches a guest, stage by stage', async () => {
      const stages: LaunchStage[] = [];
      await driver.launch(spec, boot(stages));
      expect(stages).toEqual(['disk', 'boot', 'ssh']);
      expect(await driver.inspect(spec.vmId)).toEqual({ vmId: spec.vmId, state: 'running' });
      expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
    });

    test('launches no guest twice', async () => {
      await fails(driver.launch(spec, boot()), 'exists');
      expect(await driver.inspect(spec.vmId)).toMatchObject({ state: 'running' });
    });

    test('leaves a running guest alone when it is started', async () => {
      await driver.start(spec.vmId, boot());
      expect(await driver.inspect(spec.vmId)).toMatchObject({ state: 'running' });
    });

    test('lets the owner in by OpenSSH, with the host key known before', async () => {
      const login = await ssh.run(driver, spec, 'hostname');
      expect(login).toMatchObject({ exitCode: 0, stderr: '' });
      expect(spec.seed.metaData).toContain(`local-hostname: ${login.stdout.toString().trim()}\n`);
      expect(await ssh.run(driver, spec, 'exit 7')).toMatchObject({ exitCode: 7 });
    });

    test('has no other host key than the one that it was given', async () => {
      const other = { ...spec, hostKey: ssh.publicKey };
      const login = await ssh.run(driver, other, 'hostname');
      expect(login.exitCode).toBe(255);
      expect(login.stderr).toContain('Host key verification failed');
    });

    test('lets nobody else in', async () => {
      await using stranger = await Stranger.create();
      const login = await stranger.ssh.run(driver, spec, 'hostname');
      expect(login.exitCode).toBe(255);
      expect(login.stderr).toContain('Permission denied');
    });

    test('carries many bytes in both directions', async () => {
      const sent = randomBytes(1024 * 1024);
      const { stdout } = await ssh.run(driver, spec, 'cat', sent);
      expect(digest(stdout)).toBe(digest(sent));
    });

    test('carries several connections at once', async () => {
      const words = ['one', 'two', 'three'];
      const logins = await Promise.all(words.map((word) => ssh.run(driver, spec, `echo ${word}`)));
      expect(logins.map(({ stdout }) => stdout.toString())).toEqual(words.map((w) => `${w}\n`));
    });

    test('keeps a connection when the wait for it could be stopped no more', async () => {
      const waiting = new AbortController();
      const stream = await driver.dial(spec.vmId, waiting.signal);
      waiting.abort();
      await sleep(0);
      stream.end();
      expect((await buffer(stream)).toString()).toMatch(/^SSH-2\.0-/);
    });

    test('says goodbye to a client that has nothing more to say', async () => {
      const stream = await driver.dial(spec.vmId, signal());
      stream.end();
      const said = await buffer(stream);
      expect(said.toString()).toMatch(/^SSH-2\.0-/);
    });

    test('shows the end of the console', async () => {
      const whole = await driver.console(spec.vmId, 64 * 1024);
      expect(whole).toMatch(/\S/);
      const end = await driver.console(spec.vmId, 5);
      expect(Buffer.byteLength(end)).toBeLessThanOrEqual(5);
      expect(whole.endsWith(end)).toBe(true);
    });

    test('keeps the disk of a guest that is stopped and started', async () => {
      await ssh.run(driver, spec, 'cat > kept', Buffer.from('still here'));
      await driver.stop(spec.vmId, stopping());
      expect(await driver.inspect(spec.vmId)).toMatchObject({ state: 'stopped' });
      expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'stopped' }]);
      await driver.stop(spec.vmId, stopping());
      await fails(driver.dial(spec.vmId, signal()), 'not_running');
      await fails(driver.launch(spec, boot()), 'exists');

      const stages: LaunchStage[] = [];
      await driver.start(spec.vmId, boot(stages));
      expect(stages).toEqual(['boot', 'ssh']);
      const { stdout } = await ssh.run(driver, spec, 'cat kept');
      expect(stdout.toString()).toBe('still here');
    });

    test('lets go of guests, and finds them again', async () => {
      await driver[Symbol.asyncDispose]();
      driver = await subject.open(stateDir);
      expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
      expect(await ssh.run(driver, spec, 'exit 0')).toMatchObject({ exitCode: 0 });
    });

    test('ends connections and leaves nothing behind when it destroys a guest', async () => {
      const stream = await driver.dial(spec.vmId, signal());
      stream.on('error', () => undefined).resume();
      const ended = once(stream, 'close');
      await driver.destroy(spec.vmId);
      await ended;
      expect(await remainsOf(spec.vmId)).toEqual(nothing);
      await fails(driver.dial(spec.vmId, signal()), 'absent');
      await driver.destroy(spec.vmId);
    });

    test.each(['disk', 'boot', 'ssh'] as const)(
      'stops waiting for a launch that is aborted at %s, and removes what there is of it',
      async (last) => {
        const aborted = await subject.prepareSpec(ssh.publicKey);
        const abort = new AbortController();
        const onStage = (stage: LaunchStage) => {
          if (stage === last) abort.abort();
        };
        await fails(driver.launch(aborted, { signal: abort.signal, onStage }), 'aborted');
        await driver.destroy(aborted.vmId);
        expect(await remainsOf(aborted.vmId)).toEqual(nothing);
      },
    );

    test('fails a launch whose guest shows another host key, and removes it', async () => {
      const honest = await subject.prepareSpec(ssh.publicKey);
      await fails(driver.launch({ ...honest, hostKey: ssh.publicKey }, boot()), 'failed');
      await driver.destroy(honest.vmId);
      expect(await remainsOf(honest.vmId)).toEqual(nothing);
    });

    test('refuses a guest with less memory than its image needs', async () => {
      const small = await subject.prepareSpec(ssh.publicKey);
      const memoryMiB = small.image.minMemoryMiB - 1;
      await fails(driver.launch({ ...small, memoryMiB }, boot()), 'failed');
      await driver.destroy(small.vmId);
      expect(await remainsOf(small.vmId)).toEqual(nothing);
    });
  });
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
