/** What goes wrong: waits that are stopped, guests that are half made, a hypervisor that talks nonsense. */
import { describe, expect, test } from 'vitest';
import { DriverError, type GuestStatus, type LaunchStage } from '../driver.ts';
import { fails, NOTHING, type Bench, type Fault } from './bench.ts';

export function testFailures(bench: Bench): void {
  const { faults = {}, timeouts } = bench.subject;
  /** Stops the wait when a launch or a start has come to a stage. */
  const abortedAt = (last: LaunchStage) => {
    const abort = new AbortController();
    const onStage = (stage: LaunchStage) => {
      if (stage === last) abort.abort();
    };
    return { signal: abort.signal, onStage };
  };
  const settled = async () => {
    const timeout = timeouts.graceMillis + timeouts.bootMillis;
    await expect.poll(() => bench.state(), { timeout }).toMatch(/^(?:running|stopped)$/);
  };
  /** The list, or the word that there cannot be one. */
  const listed = async (): Promise<GuestStatus[] | string> =>
    bench.driver.list().catch((error: unknown) => {
      if (error instanceof DriverError) return error.code;
      throw error;
    });

  /** While something is broken. `afresh` is a driver that finds it so when it is opened. */
  const during = async (fault: Fault, vmId: string, afresh: boolean, work: () => Promise<void>) => {
    const breaks = () => fault({ stateDir: bench.stateDir, vmId });
    const broken = await (afresh ? bench.reopen(breaks) : breaks());
    try {
      await work();
    } finally {
      await broken[Symbol.asyncDispose]();
    }
  };

  describe('stopped waits', () => {
    test.each(['disk', 'boot', 'ssh'] as const)(
      'stops waiting for a launch that is aborted at %s; what there is of it is listed and removed',
      async (stage) => {
        const { vmId, ...spec } = await bench.prepareSpec();
        await fails(bench.driver.launch({ vmId, ...spec }, abortedAt(stage)), 'aborted');
        const states = (await bench.driver.list()).filter((guest) => guest.vmId === vmId);
        expect(states.length).toBeLessThanOrEqual(1);
        expect(states).toEqual((await bench.state(vmId)) === 'absent' ? [] : [expect.anything()]);
        await bench.driver.destroy(vmId);
        expect(await bench.remainsOf(vmId)).toEqual(NOTHING);
      },
    );

    test.each(['boot', 'ssh'] as const)(
      'stops waiting for a start that is aborted at %s, and starts it the next time',
      async (stage) => {
        await bench.down();
        await fails(bench.driver.start(bench.vmId, abortedAt(stage)), 'aborted');
        await settled();
        await bench.up();
        expect(await bench.says('echo here')).toBe('here');
      },
    );

    test('stops waiting for a stop that is aborted, and stops it the next time', async () => {
      await bench.up();
      const { graceMs } = bench.stopping();
      await fails(
        bench.driver.stop(bench.vmId, { graceMs, signal: AbortSignal.abort() }),
        'aborted',
      );
      await settled();
      await bench.down();
      expect(await bench.state()).toBe('stopped');
    });
  });

  describe('failures', () => {
    test('fails a launch whose guest shows another host key, and removes it', async () => {
      const honest = await bench.prepareSpec();
      const other = { ...honest, hostKey: bench.ssh.publicKey };
      await fails(bench.driver.launch(other, bench.boot()), 'failed');
      await bench.driver.destroy(honest.vmId);
      expect(await bench.remainsOf(honest.vmId)).toEqual(NOTHING);
    });

    test('refuses a guest with less memory than its image needs', async () => {
      const small = await bench.prepareSpec();
      const memoryMiB = small.image.minMemoryMiB - 1;
      await fails(bench.driver.launch({ ...small, memoryMiB }, bench.boot()), 'failed');
      await bench.driver.destroy(small.vmId);
      expect(await bench.remainsOf(small.vmId)).toEqual(NOTHING);
    });

    test.runIf(faults.launch)('lists what a failed launch has left, and removes it', async () => {
      const spec = await faults.launch!(await bench.prepareSpec());
      await fails(bench.driver.launch(spec, bench.boot()), 'failed');
      const { vmId } = spec;
      expect((await bench.driver.list()).map((guest) => guest.vmId)).toContain(vmId);
      expect(['running', 'stopped', 'unknown']).toContain(await bench.state(vmId));
      await fails(bench.driver.launch(spec, bench.boot()), 'exists');
      await bench.driver.destroy(vmId);
      expect(await bench.remainsOf(vmId)).toEqual(NOTHING);
    });

    test.runIf(faults.destroy)('removes the next time what it could not remove', async () => {
      const { vmId, ...spec } = await bench.prepareSpec();
      await bench.driver.launch({ vmId, ...spec }, bench.boot());
      await during(faults.destroy!, vmId, false, async () => {
        await expect(bench.driver.destroy(vmId)).rejects.toThrow();
        expect((await bench.driver.list()).map((guest) => guest.vmId)).toContain(vmId);
        expect(await bench.state(vmId)).not.toBe('absent');
      });
      await bench.driver.destroy(vmId);
      expect(await bench.remainsOf(vmId)).toEqual(NOTHING);
    });

    test.runIf(faults.junk)('takes an answer that makes no sense for unknown', async () => {
      const { vmId } = bench;
      await bench.up();
      const before = await bench.bootId();
      await during(faults.junk!, vmId, true, async () => {
        expect(await bench.state()).toBe('unknown');
        expect(await bench.driver.list()).toContainEqual({ vmId, state: 'unknown' });
      });
      expect(await bench.state()).toBe('running');
      expect(await bench.bootId()).toBe(before);
    });

    test.runIf(faults.unreachable)('knows nothing while nobody can be asked', async () => {
      const { vmId } = bench;
      await bench.up();
      const before = await bench.bootId();
      await during(faults.unreachable!, vmId, true, async () => {
        expect(await bench.state()).toBe('unknown');
        expect([[{ vmId, state: 'unknown' }], 'unavailable']).toContainEqual(await listed());
        await fails(bench.driver.stop(vmId, bench.stopping()), 'unavailable');
        await fails(bench.driver.dial(vmId, bench.patience()), 'unavailable');
      });
      expect(await bench.state()).toBe('running');
      expect(await bench.bootId()).toBe(before);
    });
  });
}
