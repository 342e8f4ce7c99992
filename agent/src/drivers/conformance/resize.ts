/** Another size: seen from within the guest. */
import { describe, expect, test } from 'vitest';
import type { GuestSize } from '../driver.ts';
import { fails, NOTHING, type Bench } from './bench.ts';

const KIB_PER_GIB = 1024 * 1024;

export function testResize(bench: Bench): void {
  const resize = (size: GuestSize) => bench.driver.resize(bench.vmId, size, bench.patience());
  const sizeOf = ({ cpus, memoryMiB, storageGiB }: GuestSize) => ({ cpus, memoryMiB, storageGiB });

  /** What the guest has, as its kernel sees it. */
  const seen = async () => {
    const memory = /^MemTotal:\s+(\d+) kB/m.exec(await bench.says('cat /proc/meminfo'))?.[1];
    const blocks = [
      ...(await bench.says('cat /proc/partitions')).matchAll(/^\s*\d+\s+\d+\s+(\d+)/gm),
    ];
    return {
      cpus: Number(await bench.says('nproc')),
      memoryKiB: Number(memory),
      diskKiB: Math.max(...blocks.map((match) => Number(match[1]))),
    };
  };

  describe('resize', () => {
    let larger: GuestSize;

    test('leaves a running guest as it is', async () => {
      await bench.up();
      const { cpus, memoryMiB, storageGiB } = bench.spec;
      larger = { cpus: cpus + 1, memoryMiB: memoryMiB + 64, storageGiB: storageGiB + 1 };
      await fails(resize(larger), 'not_stopped');
      expect((await seen()).cpus).toBe(cpus);
    });

    test('gives a stopped guest more of everything', async () => {
      const before = await seen();
      await bench.says('cat > kept', 'before the resize');
      await bench.down();
      await resize(larger);
      await resize(larger);
      expect(await bench.state()).toBe('stopped');
      await bench.up();
      const after = await seen();
      expect(after.cpus).toBe(larger.cpus);
      expect(after.memoryKiB).toBeGreaterThan(before.memoryKiB + 32 * 1024);
      expect(after.diskKiB).toBe(larger.storageGiB * KIB_PER_GIB);
      expect(await bench.says('cat kept')).toBe('before the resize');
    });

    test('gives it fewer processors and less memory, and never a smaller disk', async () => {
      await bench.down();
      await fails(resize(sizeOf(bench.spec)), 'failed');
      const { minMemoryMiB } = bench.spec.image;
      await fails(resize({ ...larger, memoryMiB: minMemoryMiB - 1 }), 'failed');
      await resize({ ...sizeOf(bench.spec), storageGiB: larger.storageGiB });
      await bench.up();
      const after = await seen();
      expect(after.cpus).toBe(bench.spec.cpus);
      expect(after.memoryKiB).toBeLessThanOrEqual(bench.spec.memoryMiB * 1024);
      expect(after.diskKiB).toBe(larger.storageGiB * KIB_PER_GIB);
    });

    test.runIf(bench.subject.capabilities.includes('snapshot'))(
      'keeps its size when it is taken back to a snapshot of a smaller one',
      async () => {
        const { driver, vmId, spec } = bench;
        await bench.down();
        await driver.snapshot(vmId, 'small', bench.patience());
        const storageGiB = larger.storageGiB + 1;
        await resize({ ...larger, storageGiB });
        await driver.restore(vmId, 'small', bench.patience());
        await bench.up();
        const after = await seen();
        expect(after).toMatchObject({ cpus: larger.cpus, diskKiB: storageGiB * KIB_PER_GIB });
        expect(await bench.says('cat kept')).toBe('before the resize');
        await bench.down();
        await driver.deleteSnapshot(vmId, 'small', bench.patience());
        await resize({ ...sizeOf(spec), storageGiB });
      },
    );

    test('knows of no guest that is not there', async () => {
      const spec = await bench.prepareSpec();
      await fails(bench.driver.resize(spec.vmId, spec, bench.patience()), 'absent');
      expect(await bench.remainsOf(spec.vmId)).toEqual(NOTHING);
    });
  });
}
