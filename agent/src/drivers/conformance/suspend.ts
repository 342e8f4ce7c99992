/** A guest that sleeps on the disk, and whose memory is used once or not at all. */
import { describe, expect, test } from 'vitest';
import type { LaunchStage } from '../driver.ts';
import { fails, NOTHING, type Bench } from './bench.ts';

/** A file system in memory, on every Linux. */
const IN_MEMORY = '/dev/shm/kept';

export function testSuspend(bench: Bench): void {
  const suspend = () => bench.driver.suspend(bench.vmId, bench.patience());

  describe('suspend', () => {
    let bootId: string;
    let process: string | undefined;

    test('suspends a running guest, and leaves a suspended one alone', async () => {
      const { driver, vmId } = bench;
      await bench.up();
      bootId = await bench.bootId();
      await bench.says(`cat > ${IN_MEMORY}`, 'in memory');
      if ((await driver.facts()).accelerator !== 'none') {
        process = await bench.says('sleep 86400 </dev/null >/dev/null 2>&1 & echo $!');
      }
      await suspend();
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'suspended' });
      await suspend();
      expect(await driver.list()).toEqual([{ vmId, state: 'suspended' }]);
      await fails(driver.dial(vmId, bench.patience()), 'not_running');
      await fails(driver.launch(bench.spec, bench.boot()), 'exists');
    });

    test('allows nothing that changes the disk of a suspended guest', async () => {
      const { driver, vmId, spec } = bench;
      if (driver.capabilities.has('snapshot')) {
        await fails(driver.snapshot(vmId, 'now', bench.patience()), 'not_stopped');
        await fails(driver.restore(vmId, 'now', bench.patience()), 'not_stopped');
      }
      if (driver.capabilities.has('resize')) {
        await fails(driver.resize(vmId, spec, bench.patience()), 'not_stopped');
      }
      expect(await bench.state()).toBe('suspended');
    });

    test('finds a suspended guest again', async () => {
      await bench.reopen();
      expect(await bench.driver.list()).toEqual([{ vmId: bench.vmId, state: 'suspended' }]);
    });

    test('lets it go on where it was: its memory and its processes', async () => {
      const stages: LaunchStage[] = [];
      await bench.driver.start(bench.vmId, bench.boot(stages));
      expect(stages).toEqual(['boot', 'ssh']);
      expect(await bench.state()).toBe('running');
      expect(await bench.bootId()).toBe(bootId);
      expect(await bench.says(`cat ${IN_MEMORY}`)).toBe('in memory');
      if (process !== undefined) await bench.says(`kill -0 ${process}`);
      if (bench.subject.console !== false) {
        const { bytes } = await bench.driver.console(bench.vmId, 64 * 1024);
        expect(bytes.toString()).toMatch(/\S/);
      }
    });

    test('never goes back to a memory that was used already', async () => {
      await bench.says('cat > kept', 'after the resume');
      await bench.down();
      expect(await bench.state()).toBe('stopped');
      await bench.up();
      expect(await bench.bootId()).not.toBe(bootId);
      expect(await bench.says('cat kept')).toBe('after the resume');
    });

    test('suspends again and again', async () => {
      const before = await bench.bootId();
      for (const word of ['one', 'two']) {
        await bench.says(`cat > ${IN_MEMORY}`, word);
        await suspend();
        await bench.up();
        expect(await bench.says(`cat ${IN_MEMORY}`)).toBe(word);
      }
      expect(await bench.bootId()).toBe(before);
    });

    test('throws the memory away when a suspended guest is stopped', async () => {
      const before = await bench.bootId();
      await bench.says('cat > kept', 'on the disk');
      await bench.says('sync');
      await suspend();
      await bench.down();
      expect(await bench.state()).toBe('stopped');
      await bench.up();
      expect(await bench.bootId()).not.toBe(before);
      expect(await bench.says('cat kept')).toBe('on the disk');
      const login = await bench.ssh.run(bench.driver, bench.spec, `cat ${IN_MEMORY}`);
      expect(login.exitCode).toBe(1);
    });

    test('suspends no guest that does not run', async () => {
      await bench.down();
      await fails(suspend(), 'not_running');
      expect(await bench.state()).toBe('stopped');
      const never = await bench.prepareSpec();
      await fails(bench.driver.suspend(never.vmId, bench.patience()), 'absent');
    });

    test('stops waiting when it is aborted, and loses nothing', async () => {
      await bench.up();
      await bench.says(`cat > ${IN_MEMORY}`, 'in memory');
      await fails(bench.driver.suspend(bench.vmId, AbortSignal.abort()), 'aborted');
      const timeout = bench.subject.timeouts.graceMillis + 10_000;
      await expect.poll(() => bench.state(), { timeout }).toMatch(/^(?:running|suspended)$/);
      await bench.up();
      expect(await bench.says(`cat ${IN_MEMORY}`)).toBe('in memory');
    });

    test('destroys a suspended guest', async () => {
      const spec = await bench.prepareSpec();
      await bench.driver.launch(spec, bench.boot());
      await bench.driver.suspend(spec.vmId, bench.patience());
      await bench.driver.destroy(spec.vmId);
      expect(await bench.remainsOf(spec.vmId)).toEqual(NOTHING);
    });
  });
}
