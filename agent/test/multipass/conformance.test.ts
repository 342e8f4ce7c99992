/**
 * The conformance suite on the Multipass driver, its stand-in and guests that run no instructions:
 * test/guest/multipass.test.ts has real ones.
 */
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { afterAll } from 'vitest';
import { testDriver } from '../../src/drivers/conformance/suite.ts';
import { createMemoryDriver } from '../../src/drivers/memory/driver.ts';
import { memoryImage } from '../../src/drivers/memory/image.ts';
import { renderSeed } from '../../src/vms/seed.ts';
import { VERSIONS } from '../../../test/multipass/wire.ts';
import { multipassSubject } from './subject.ts';

for (const version of VERSIONS) {
  const subject = multipassSubject({
    version,
    image: async () => memoryImage,
    openDriver: (stateDir) => createMemoryDriver({ stateDir }),
    prepareSpec: async (authorizedKey) => {
      const vmId = newVmId();
      const hostKey = await generateOpenSshKeyPair();
      const sshKeys = [authorizedKey];
      return {
        ...{ vmId, cpus: 1, memoryMiB: 256, storageGiB: 1, hostKey: hostKey.publicKey },
        image: { ...memoryImage, minMemoryMiB: 128 },
        seed: renderSeed({ instanceId: `i-${vmId}`, hostname: 'web', sshKeys, hostKey }),
      };
    },
    powerOff: 'poweroff',
    timeouts: { bootMillis: 30_000, graceMillis: 10_000 },
  });
  testDriver(subject);
  afterAll(() => subject[Symbol.asyncDispose]());
}
