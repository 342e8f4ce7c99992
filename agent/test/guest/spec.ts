/** Guests of the small image, as tests of the QEMU driver launch them. */
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import type { GuestSpec } from '../../src/drivers/driver.ts';
import { openCatalogue } from '../../src/images/catalogue.ts';
import { renderSeed } from '../../src/vms/seed.ts';

const images =
  process.env['GOLEM_IMAGE_CACHE'] ?? join(import.meta.dirname, '../../../.cache/images');

/**
 * One that was never launched, with an id of its own.
 * @param cacheDir holds what it boots from, for as long as it lives
 */
export async function tinyGuest(cacheDir: string, authorizedKey: string): Promise<GuestSpec> {
  const catalogue = await openCatalogue({
    cacheDir,
    localDirs: [images],
    official: false,
    arch: 'x86_64',
  });
  const vmId = newVmId();
  const hostKey = await generateOpenSshKeyPair();
  return {
    vmId,
    cpus: 1,
    memoryMiB: 128,
    storageGiB: 1,
    image: await catalogue.resolve('debian-12-tiny', AbortSignal.timeout(10_000)),
    seed: renderSeed({
      instanceId: `i-${vmId}`,
      hostname: 'web',
      sshKeys: [authorizedKey],
      hostKey,
    }),
    hostKey: hostKey.publicKey,
  };
}

/** Long enough for a guest to come up where its instructions are emulated. */
export const patience = () => ({ signal: AbortSignal.timeout(60_000), onStage: () => undefined });
