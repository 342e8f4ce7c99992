/** What a driver says about its guests, and about what it cannot do. */
import { describe, expect, test } from 'vitest';
import type { GuestUsage } from '../driver.ts';
import { fails, type Bench } from './bench.ts';

const MEASURES = [
  'cpuSeconds',
  'memoryBytes',
  'diskBytes',
  'receivedBytes',
  'sentBytes',
] as const satisfies (keyof GuestUsage)[];

export function testUsage(bench: Bench): void {
  describe('usage', () => {
    test('says of a running guest what it knows, and no more', async () => {
      await bench.up();
      const before = await bench.driver.usage(bench.vmId);
      await bench.says('sha256sum', 'x'.repeat(100_000));
      const after = await bench.driver.usage(bench.vmId);
      const { measures } = bench.subject;
      const known = (usage: GuestUsage) => MEASURES.filter((name) => usage[name] !== undefined);
      expect(known(before).sort()).toEqual([...measures].sort());
      expect(known(after).sort()).toEqual([...measures].sort());
      for (const measure of measures) {
        expect({ measure, value: before[measure] }).toEqual({ measure, value: expect.any(Number) });
        // What a guest holds may shrink; what it has used does not.
        const least = /^(?:cpu|received|sent)/.test(measure) ? before[measure] : 0;
        expect(after[measure]).toBeGreaterThanOrEqual(least ?? Infinity);
      }
    });

    test('knows of a stopped guest what its disk takes', async () => {
      await bench.down();
      const usage = await bench.driver.usage(bench.vmId);
      expect(usage).toEqual({
        cpuSeconds: undefined,
        memoryBytes: undefined,
        diskBytes: usage.diskBytes,
        receivedBytes: undefined,
        sentBytes: undefined,
      });
      expect(typeof usage.diskBytes).toBe(
        bench.subject.measures.includes('diskBytes') ? 'number' : 'undefined',
      );
    });
  });
}

/** Whoever asks for what a driver cannot do is told so, and the guest is as it was. */
export function testRefusals(bench: Bench): void {
  const { capabilities } = bench.subject;

  describe('capabilities', () => {
    test.runIf(!capabilities.includes('suspend'))('refuses to suspend', async () => {
      await bench.up();
      await fails(bench.driver.suspend(bench.vmId, bench.patience()), 'unsupported');
      expect(await bench.state()).toBe('running');
    });

    test.runIf(!capabilities.includes('snapshot'))('refuses to take snapshots', async () => {
      const { driver, vmId } = bench;
      await bench.down();
      await fails(driver.snapshot(vmId, 'first', bench.patience()), 'unsupported');
      await fails(driver.restore(vmId, 'first', bench.patience()), 'unsupported');
      await fails(driver.deleteSnapshot(vmId, 'first', bench.patience()), 'unsupported');
      await fails(driver.snapshots(vmId), 'unsupported');
      expect(await bench.state()).toBe('stopped');
    });

    test.runIf(!capabilities.includes('resize'))('refuses to resize', async () => {
      await bench.down();
      await fails(bench.driver.resize(bench.vmId, bench.spec, bench.patience()), 'unsupported');
      expect(await bench.state()).toBe('stopped');
    });
  });
}
