/** The ways into a guest: SSH with the key it was given, and the serial console. */
import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Bench } from './bench.ts';
import { Stranger } from './openssh.ts';

export function testAccess(bench: Bench): void {
  describe('access', () => {
    test('lets the owner in by OpenSSH, with the host key known before', async () => {
      const { driver, spec, ssh } = bench;
      const login = await ssh.run(driver, spec, 'hostname');
      expect(login).toMatchObject({ exitCode: 0, stderr: '' });
      expect(spec.seed.metaData).toContain(`local-hostname: ${login.stdout.toString().trim()}\n`);
      expect(await ssh.run(driver, spec, 'exit 7')).toMatchObject({ exitCode: 7 });
    });

    test('has no other host key than the one that it was given', async () => {
      const other = { ...bench.spec, hostKey: bench.ssh.publicKey };
      const login = await bench.ssh.run(bench.driver, other, 'hostname');
      expect(login.exitCode).toBe(255);
      expect(login.stderr).toContain('Host key verification failed');
    });

    test('lets nobody else in', async () => {
      await using stranger = await Stranger.create();
      const login = await stranger.ssh.run(bench.driver, bench.spec, 'hostname');
      expect(login.exitCode).toBe(255);
      expect(login.stderr).toContain('Permission denied');
    });

    test('carries many bytes in both directions', async () => {
      const sent = randomBytes(1024 * 1024);
      const { stdout } = await bench.ssh.run(bench.driver, bench.spec, 'cat', sent);
      expect(digest(stdout)).toBe(digest(sent));
    });

    test('carries several connections at once', async () => {
      const words = ['one', 'two', 'three'];
      expect(await Promise.all(words.map((word) => bench.says(`echo ${word}`)))).toEqual(words);
    });

    test('keeps a connection when the wait for it could be stopped no more', async () => {
      const waiting = new AbortController();
      const stream = await bench.driver.dial(bench.vmId, waiting.signal);
      waiting.abort();
      await sleep(0);
      stream.end();
      expect((await buffer(stream)).toString()).toMatch(/^SSH-2\.0-/);
    });

    test('says goodbye to a client that has nothing more to say', async () => {
      const stream = await bench.driver.dial(bench.vmId, bench.patience());
      stream.end();
      expect((await buffer(stream)).toString()).toMatch(/^SSH-2\.0-/);
    });

    test.runIf(bench.subject.console === false)('shows no console', async () => {
      expect((await bench.driver.console(bench.vmId, 64 * 1024)).bytes).toHaveLength(0);
    });

    test.runIf(bench.subject.console !== false)('shows the end of the console', async () => {
      const whole = await bench.driver.console(bench.vmId, 64 * 1024);
      expect(whole.bytes.toString()).toMatch(/\S/);
      const end = await bench.driver.console(bench.vmId, 5);
      expect(end).toMatchObject({ epoch: whole.epoch });
      expect(end.bytes).toHaveLength(5);
      const at = end.from - whole.from;
      expect(whole.bytes.subarray(at, at + 5)).toEqual(end.bytes);
    });

    test.runIf(bench.subject.console !== false)('shows the console from an offset on', async () => {
      const whole = await bench.driver.console(bench.vmId, 64 * 1024);
      const end = whole.from + whole.bytes.length;
      const part = await bench.driver.console(bench.vmId, 5, end - 8);
      expect(part).toEqual({
        ...{ from: end - 8, epoch: whole.epoch },
        bytes: whole.bytes.subarray(-8, -3),
      });
      const { from, bytes } = await bench.driver.console(bench.vmId, 64 * 1024, end);
      expect(from).toBe(end);
      // Nothing, or what the guest has written since.
      expect(bytes.length).toBeLessThan(64 * 1024);
      const beyond = await bench.driver.console(bench.vmId, 64 * 1024, end + 1024 * 1024);
      expect(beyond.from).toBeLessThanOrEqual(whole.from);
    });
  });
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
