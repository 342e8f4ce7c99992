/** What guests of this provider can be made of. */
import { join } from 'node:path';
import type { LiveConfig } from './config/live.ts';
import type { DriverFacts } from './drivers/driver.ts';
import { memoryImage } from './drivers/memory/image.ts';
import { imageFilesInUse } from './drivers/qemu/images.ts';
import { openCatalogue } from './images/catalogue.ts';
import type { ImageKeeper } from './images/keeper.ts';
import { multipassImages } from './images/multipass.ts';
import type { Images } from './vms/vms.ts';

const GIB = 2 ** 30;

export interface OpenImages {
  readonly images: Images;
  /** Of those that are kept on this machine. */
  readonly keeper?: ImageKeeper;
}

export async function openImages(live: LiveConfig, { arch }: DriverFacts): Promise<OpenImages> {
  const { driver, 'data-dir': dataDir, 'image-dir': localDirs, ...config } = live.current;
  if (driver === 'memory') {
    return { images: { list: () => [memoryImage], resolve: async () => memoryImage } };
  }
  const wanted = !config['only-local-images'];
  const catalogue = await openCatalogue({
    ...{ cacheDir: join(dataDir, 'images'), localDirs, arch },
    official: wanted && driver !== 'multipass',
    room: {
      maxBytes: () => live.current['image-cache'] * GIB,
      floorBytes: () => live.current['reserve-storage'] * GIB,
      inUse: () => imageFilesInUse(join(dataDir, 'guests')),
    },
  });
  const images = driver === 'multipass' ? multipassImages(catalogue, arch, wanted) : catalogue;
  return { images, keeper: catalogue.keeper };
}
