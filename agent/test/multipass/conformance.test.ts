/**
 * The conformance suite on the Multipass driver, its stand-in and guests that run no instructions.
 * test/guest/multipass.test.ts has real ones, and other versions.
 */
import { afterAll } from 'vitest';
import { testDriver } from '../../src/drivers/conformance/suite.ts';
import { createMemoryDriver } from '../../src/drivers/memory/driver.ts';
import { memorySpec } from './bench.ts';
import { multipassSubject } from './subject.ts';

const subject = multipassSubject({
  version: '1.14.1',
  image: async () => (await memorySpec()).image,
  openDriver: (stateDir) => createMemoryDriver({ stateDir }),
  prepareSpec: memorySpec,
  powerOff: 'poweroff',
  timeouts: { bootMillis: 30_000, graceMillis: 10_000 },
});
testDriver(subject);
afterAll(() => subject[Symbol.asyncDispose]());
