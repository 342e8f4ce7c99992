/**
 * What every driver must do, as one suite: `testDriver` is called by the tests of each. The cases
 * share one guest, in order: where instructions are emulated a boot takes seconds.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { testAccess } from './access.ts';
import { Bench, type DriverUnderTest } from './bench.ts';
import { testFailures } from './failures.ts';
import { testEnd, testFirstLaunch, testRestarts } from './life.ts';
import { testResize } from './resize.ts';
import { testSnapshots } from './snapshots.ts';
import { testSuspend } from './suspend.ts';
import { testRefusals, testUsage } from './facts.ts';

export function testDriver(subject: DriverUnderTest): void {
  const bench = new Bench(subject);
  const timeout = bench.caseMillis;

  describe(`the ${subject.name} driver`, { timeout }, () => {
    beforeAll(() => bench.setUp(), timeout);
    afterAll(() => bench.tearDown(), timeout);

    testFirstLaunch(bench);
    testAccess(bench);
    testUsage(bench);
    testRestarts(bench);
    if (subject.capabilities.includes('suspend')) testSuspend(bench);
    if (subject.capabilities.includes('snapshot')) testSnapshots(bench);
    if (subject.capabilities.includes('resize')) testResize(bench);
    testRefusals(bench);
    testFailures(bench);
    testEnd(bench);
  });
}
