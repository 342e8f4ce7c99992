import ssh2 from 'ssh2';
import { newVmId } from '@vm-on-golem/shared/ids';
import { testDriver } from '../conformance.ts';
import type { GuestSpec } from '../driver.ts';
import { createMemoryDriver } from './driver.ts';
import { memoryImage } from './image.ts';

async function prepareSpec(authorizedKey: string): Promise<GuestSpec> {
  const hostKey = ssh2.utils.generateKeyPairSync('ed25519');
  const indented = hostKey.private.trim().replaceAll('\n', '\n    ');
  return {
    vmId: newVmId(),
    cpus: 1,
    memoryMiB: 128,
    storageGiB: 1,
    image: memoryImage,
    seed: {
      userData: `#cloud-config
ssh_authorized_keys:
  - ${authorizedKey}
ssh_keys:
  ed25519_private: |
    ${indented}
`,
      metaData: 'instance-id: one\nlocal-hostname: web\n',
    },
    hostKey: hostKey.public.trim(),
  };
}

testDriver({
  name: 'memory',
  open: (stateDir) => createMemoryDriver({ stateDir }),
  prepareSpec,
  timeouts: { bootMillis: 5_000, graceMillis: 1_000 },
});
