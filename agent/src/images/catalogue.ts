/** The images that this provider offers, and their files on this machine. */
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { GuestImage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { DiskCache } from './cache.ts';
import { VerifiedFiles } from './digest.ts';
import type { DownloadBounds } from './download.ts';
import { imageFolders, readManifest, type ManifestFile } from './local.ts';
import { OFFICIAL_IMAGES, type OfficialImage } from './official.ts';
import { SharedWork } from './sharing.ts';

interface ImageInfo extends Pick<GuestImage, 'id' | 'arch' | 'user' | 'minMemoryMiB'> {
  readonly origin: 'local' | 'official';
}

export interface Catalogue {
  /** Local images first. */
  list(): readonly ImageInfo[];
  /**
   * Fetches and checks what is not here yet.
   * @throws {GolemError} `image_unknown` | `launch_failed`
   * @throws {DriverError} `aborted` | `timeout`
   */
  resolve(id: string, signal: AbortSignal): Promise<GuestImage>;
}

export interface CatalogueOptions {
  /** Holds the disks that guests lie on: to be kept as long as there are guests. */
  readonly cacheDir: string;
  /** Each is an image's folder, or a folder of such. */
  readonly localDirs: readonly string[];
  /** Whether to offer the publishers' cloud images as well. They are, if not said otherwise. */
  readonly official?: boolean;
  /** Only images of this architecture are offered; that of this machine, if not said otherwise. */
  readonly arch?: GuestImage['arch'];
  readonly publishers?: readonly OfficialImage[];
  readonly bounds?: DownloadBounds;
}

interface Entry {
  readonly info: ImageInfo;
  readonly resolve: (signal: AbortSignal) => Promise<GuestImage>;
}

/** @throws {GolemError} `invalid_request` when a local image makes no sense, or two have one id */
export async function openCatalogue(options: CatalogueOptions): Promise<Catalogue> {
  const { cacheDir, official = true, publishers = OFFICIAL_IMAGES } = options;
  const arch = options.arch ?? (process.arch === 'arm64' ? 'aarch64' : 'x86_64');
  const files = new VerifiedFiles();
  const cache = new DiskCache(cacheDir, files, options.bounds ?? AGENT_LIMITS.images);
  await cache.prepare(Date.now());
  const entries = new Map<string, Entry>();
  const add = (entry: Entry) => {
    if (entry.info.arch !== arch) return;
    if (entries.has(entry.info.id)) {
      throw new GolemError('invalid_request', `Two images have the id ${entry.info.id}.`);
    }
    entries.set(entry.info.id, entry);
  };
  for (const localDir of options.localDirs) {
    for (const folder of await imageFolders(localDir)) add(await localEntry(folder, cache, files));
  }
  for (const image of official ? publishers : []) add(officialEntry(image, cache));

  const shared = new SharedWork<GuestImage>();
  return {
    list: () => [...entries.values()].map(({ info }) => info),
    resolve: async (id, signal) => {
      const entry = entries.get(id);
      if (entry) return shared.join(id, signal, entry.resolve);
      throw new GolemError('image_unknown', undefined, {
        hint: `It offers ${[...entries.keys()].join(', ') || 'none at all'}.`,
      });
    },
  };
}

function officialEntry(image: OfficialImage, cache: DiskCache): Entry {
  const { id, arch, user, minMemoryMiB } = image;
  const common = { id, arch, user, minMemoryMiB };
  return {
    info: { ...common, origin: 'official' },
    resolve: async (signal) => ({ ...common, disk: await cache.official(image, signal) }),
  };
}

async function localEntry(folder: string, cache: DiskCache, files: VerifiedFiles): Promise<Entry> {
  const { id, arch, user, minMemoryMiB } = await readManifest(folder);
  return {
    info: { id, arch, user, minMemoryMiB, origin: 'local' },
    resolve: (signal) => resolveLocal(folder, id, cache, files, signal),
  };
}

/** Reads the manifest anew: the image may have been built again since. */
async function resolveLocal(
  folder: string,
  id: string,
  cache: DiskCache,
  files: VerifiedFiles,
  signal: AbortSignal,
): Promise<GuestImage> {
  const manifest = await readManifest(folder);
  if (manifest.id !== id) throw new GolemError('image_unknown');
  const damaged = ({ file }: ManifestFile) =>
    new GolemError('launch_failed', `The file ${file} of the image ${id} is damaged or missing.`, {
      hint: 'The provider has to build or copy the image again.',
    });
  const checked = async (named: ManifestFile) => {
    const path = join(folder, named.file);
    const digest = { algorithm: 'sha256', hex: named.sha256 } as const;
    if ((await files.check(path, digest, signal)) !== 'good') throw damaged(named);
    return path;
  };
  const { arch, user, minMemoryMiB, readyMarker, kernel } = manifest;
  const digest = { algorithm: 'sha256', hex: manifest.disk.sha256 } as const;
  const disk = await cache.keep(join(folder, manifest.disk.file), digest, signal);
  if (disk === undefined) throw damaged(manifest.disk);
  return {
    ...{ id, arch, user, minMemoryMiB, disk },
    ...(readyMarker === undefined ? {} : { readyMarker }),
    ...(kernel && {
      kernel: {
        vmlinuz: await checked(kernel.vmlinuz),
        initrd: await checked(kernel.initrd),
        append: kernel.append,
      },
    }),
  };
}
