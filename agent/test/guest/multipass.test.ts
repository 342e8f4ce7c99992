/** The conformance suite on the Multipass driver, its stand-in, and real guests below that. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { afterAll, beforeAll } from 'vitest';
import { testDriver } from '../../src/drivers/conformance/suite.ts';
import { createQemuDriver } from '../../src/drivers/qemu/driver.ts';
import { renderSeed } from '../../src/vms/seed.ts';
import { smallImage } from '../../../test/multipass/on-qemu.ts';
import { multipassSubject } from '../multipass/subject.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-mp-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const image = () => smallImage(join(dir, 'images'));

for (const version of ['1.13.1', '1.16.3'] as const) {
  const subject = multipassSubject({
    version,
    image,
    openDriver: (stateDir) =>
      createQemuDriver({ stateDir, allowEmulation: true, templates: join(dir, 'templates') }),
    prepareSpec: async (authorizedKey) => {
      const vmId = newVmId();
      const hostKey = await generateOpenSshKeyPair();
      const sshKeys = [authorizedKey];
      return {
        ...{ vmId, cpus: 1, memoryMiB: 128, storageGiB: 1, hostKey: hostKey.publicKey },
        image: await image(),
        seed: renderSeed({ instanceId: `i-${vmId}`, hostname: 'web', sshKeys, hostKey }),
      };
    },
    powerOff: 'poweroff',
    timeouts: { bootMillis: 60_000, graceMillis: 15_000 },
  });
  testDriver(subject);
  afterAll(() => subject[Symbol.asyncDispose]());
}
