/** Launch, start, stop, adoption, destruction. */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { newVmId } from '@vm-on-golem/shared/ids';
import { describe, expect, test } from 'vitest';
import type { LaunchStage } from '../driver.ts';
import { fails, NOTHING, type Bench } from './bench.ts';

export function testFirstLaunch(bench: Bench): void {
  describe('launch', () => {
    test('says what it runs on and what it can do', async () => {
      const facts = await bench.driver.facts();
      expect(facts.arch).toBe(bench.spec.image.arch);
      expect(facts.version).toMatch(/^\d/);
      expect([...bench.driver.capabilities].sort()).toEqual([...bench.subject.capabilities].sort());
    });

    test('knows of no guest that was never launched', async () => {
      const { driver } = bench;
      const vmId = newVmId();
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'absent' });
      expect(await driver.list()).toEqual([]);
      expect((await driver.console(vmId, 1000)).bytes).toHaveLength(0);
      await driver.destroy(vmId);
      await fails(driver.start(vmId, bench.boot()), 'absent');
      await fails(driver.stop(vmId, bench.stopping()), 'absent');
      await fails(driver.dial(vmId, bench.patience()), 'absent');
      await fails(driver.usage(vmId), 'absent');
    });

    test('refuses what is no VM id, before it becomes a path', async () => {
      const { driver, spec } = bench;
      for (const vmId of ['../escape', '-option', '', 'vm_short']) {
        await fails(driver.inspect(vmId), 'failed');
        await fails(driver.launch({ ...spec, vmId }, bench.boot()), 'failed');
        await fails(driver.destroy(vmId), 'failed');
      }
      expect(await readdir(bench.scratch)).toContain('guests');
    });

    test('launches a guest, stage by stage', async () => {
      const { driver, spec, vmId } = bench;
      const stages: LaunchStage[] = [];
      await driver.launch(spec, bench.boot(stages));
      expect(stages).toEqual(['disk', 'boot', 'ssh']);
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'running' });
      expect(await driver.list()).toEqual([{ vmId, state: 'running' }]);
    });

    test('launches no guest twice', async () => {
      await fails(bench.driver.launch(bench.spec, bench.boot()), 'exists');
      expect(await bench.state()).toBe('running');
    });

    test('leaves a running guest alone when it is started', async () => {
      const before = await bench.bootId();
      await bench.driver.start(bench.vmId, bench.boot());
      expect(await bench.state()).toBe('running');
      expect(await bench.bootId()).toBe(before);
    });
  });
}

export function testRestarts(bench: Bench): void {
  describe('stop and start', () => {
    test('stops a guest, and leaves a stopped one alone', async () => {
      const { driver, vmId } = bench;
      await bench.up();
      await bench.says('cat > kept', 'still here');
      await driver.stop(vmId, bench.stopping());
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'stopped' });
      expect(await driver.list()).toEqual([{ vmId, state: 'stopped' }]);
      await driver.stop(vmId, bench.stopping());
      await fails(driver.dial(vmId, bench.patience()), 'not_running');
      await fails(driver.launch(bench.spec, bench.boot()), 'exists');
      expect(await bench.state()).toBe('stopped');
    });

    test('starts a stopped guest with its disk, stage by stage', async () => {
      const stages: LaunchStage[] = [];
      await bench.driver.start(bench.vmId, bench.boot(stages));
      expect(stages).toEqual(['boot', 'ssh']);
      expect(await bench.says('cat kept')).toBe('still here');
    });

    test('restarts a guest: another boot, the same disk', async () => {
      const before = await bench.bootId();
      await bench.down();
      await bench.up();
      expect(await bench.bootId()).not.toBe(before);
      expect(await bench.says('cat kept')).toBe('still here');
    });

    test('pulls the plug of a guest that is given no time', async () => {
      const { driver, vmId } = bench;
      await bench.says('sync');
      await driver.stop(vmId, { graceMs: 0, signal: bench.patience() });
      expect(await bench.state()).toBe('stopped');
      await bench.up();
      expect(await bench.says('cat kept')).toBe('still here');
    });

    test('sees a guest that shut down by itself', async () => {
      // The connection may end before the command does.
      await bench.ssh.run(bench.driver, bench.spec, bench.subject.powerOff);
      const timeout = bench.subject.timeouts.graceMillis + 10_000;
      await expect.poll(() => bench.state(), { timeout }).toBe('stopped');
      await bench.up();
      expect(await bench.says('cat kept')).toBe('still here');
    });

    test('lets go of guests, and finds them again', async () => {
      const before = await bench.bootId();
      await bench.reopen();
      expect(await bench.driver.list()).toEqual([{ vmId: bench.vmId, state: 'running' }]);
      expect(await bench.bootId()).toBe(before);
    });
  });
}

export function testEnd(bench: Bench): void {
  describe('destroy', () => {
    test('ends connections and leaves nothing behind', async () => {
      const { driver, vmId } = bench;
      await bench.up();
      const stream = await driver.dial(vmId, bench.patience());
      stream.on('error', () => undefined).resume();
      const ended = once(stream, 'close');
      await driver.destroy(vmId);
      await ended;
      expect(await bench.remainsOf(vmId)).toEqual(NOTHING);
      await fails(driver.dial(vmId, bench.patience()), 'absent');
      await driver.destroy(vmId);
    });
  });
}
