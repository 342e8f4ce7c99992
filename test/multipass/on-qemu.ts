/** A stand-in whose guests are real: the small image, on QEMU. */
import { join } from 'node:path';
import type { GuestImage } from '../../agent/src/drivers/driver.ts';
import { createQemuDriver } from '../../agent/src/drivers/qemu/driver.ts';
import { openCatalogue } from '../../agent/src/images/catalogue.ts';
import { StandIn } from './standin.ts';
import type { Version } from './wire.ts';

const images = process.env['GOLEM_IMAGE_CACHE'] ?? join(import.meta.dirname, '../../.cache/images');

/** @param cacheDir where its files are kept, as long as there are guests */
export async function smallImage(cacheDir: string): Promise<GuestImage> {
  const catalogue = await openCatalogue({
    ...{ cacheDir, localDirs: [images], official: false, arch: 'x86_64' },
  });
  return catalogue.resolve('debian-12-tiny', AbortSignal.timeout(10_000));
}

/** @param dir short, as sockets are in it */
export async function standInOnQemu(dir: string, version: Version): Promise<StandIn> {
  return StandIn.start({
    ...{ dir, version, sshPort: 22, image: await smallImage(join(dir, 'images')) },
    openDriver: (stateDir) => createQemuDriver({ stateDir, allowEmulation: true }),
  });
}
