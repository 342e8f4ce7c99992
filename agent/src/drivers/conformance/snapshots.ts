/** Disks as they were once. */
import { describe, expect, test } from 'vitest';
import { fails, NOTHING, type Bench } from './bench.ts';

export function testSnapshots(bench: Bench): void {
  const snapshot = (name: string) => bench.driver.snapshot(bench.vmId, name, bench.patience());
  const restore = (name: string) => bench.driver.restore(bench.vmId, name, bench.patience());
  const forget = (name: string) => bench.driver.deleteSnapshot(bench.vmId, name, bench.patience());
  const names = async () => (await bench.driver.snapshots(bench.vmId)).map(({ name }) => name);

  describe('snapshots', () => {
    test('takes none of a running guest', async () => {
      await bench.up();
      expect(await names()).toEqual([]);
      await bench.says('cat > kept', 'at first');
      await fails(snapshot('first'), 'not_stopped');
      await fails(restore('first'), 'not_stopped');
      expect(await bench.state()).toBe('running');
    });

    test('takes those of a stopped guest, oldest first', async () => {
      const begun = Date.now();
      await bench.down();
      await snapshot('first');
      await bench.up();
      await bench.says('cat > kept', 'later');
      await bench.down();
      await snapshot('a-later-one');
      expect(await names()).toEqual(['first', 'a-later-one']);
      const times = (await bench.driver.snapshots(bench.vmId)).map(({ createdAt }) => createdAt);
      // Hypervisors that note seconds round down.
      expect(times[0]).toBeGreaterThanOrEqual(begun - 1000);
      expect(times[1]).toBeGreaterThanOrEqual(times[0] ?? Infinity);
      expect(times[1]).toBeLessThanOrEqual(Date.now());
    });

    test('refuses names that are taken, unknown, or none', async () => {
      await fails(snapshot('first'), 'exists');
      await fails(restore('unknown'), 'no_snapshot');
      for (const bad of ['', '1', 'UPPER', '-option', '../escape', 'a b', 'a'.repeat(41)]) {
        await fails(snapshot(bad), 'failed');
        await fails(restore(bad), 'failed');
        await fails(forget(bad), 'failed');
      }
      expect(await names()).toEqual(['first', 'a-later-one']);
    });

    test('takes a guest back to a snapshot, which stays', async () => {
      await restore('first');
      expect(await bench.state()).toBe('stopped');
      expect(await names()).toEqual(['first', 'a-later-one']);
      await bench.up();
      expect(await bench.says('cat kept')).toBe('at first');
    });

    test('finds snapshots again, and takes a guest forward', async () => {
      await bench.reopen();
      await bench.down();
      await restore('a-later-one');
      await bench.up();
      expect(await bench.says('cat kept')).toBe('later');
      expect(await names()).toEqual(['first', 'a-later-one']);
    });

    test('forgets a snapshot, and one that is not there', async () => {
      await bench.down();
      await forget('first');
      await forget('first');
      expect(await names()).toEqual(['a-later-one']);
      await fails(restore('first'), 'no_snapshot');
      await bench.up();
      expect(await bench.says('cat kept')).toBe('later');
      await bench.down();
      await forget('a-later-one');
      expect(await names()).toEqual([]);
    });

    test('stops waiting when it is aborted, and can be asked again', async () => {
      await fails(bench.driver.snapshot(bench.vmId, 'twice', AbortSignal.abort()), 'aborted');
      if (!(await names()).includes('twice')) await snapshot('twice');
      await fails(bench.driver.restore(bench.vmId, 'twice', AbortSignal.abort()), 'aborted');
      await restore('twice');
      await forget('twice');
      await bench.up();
      expect(await bench.says('cat kept')).toBe('later');
    });

    test('knows of none of a guest that is not there', async () => {
      const { driver } = bench;
      const { vmId } = await bench.prepareSpec();
      await fails(driver.snapshot(vmId, 'first', bench.patience()), 'absent');
      await fails(driver.restore(vmId, 'first', bench.patience()), 'absent');
      await fails(driver.deleteSnapshot(vmId, 'first', bench.patience()), 'absent');
      await fails(driver.snapshots(vmId), 'absent');
      expect(await bench.remainsOf(vmId)).toEqual(NOTHING);
    });
  });
}
