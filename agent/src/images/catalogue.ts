/** The images that this provider offers, and their files on this machine. */
import { join, resolve } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { GuestImage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { ImageCache, type FileKind } from './cache.ts';
import { VerifiedFiles } from './digest.ts';
import type { DownloadBounds } from './download.ts';
import { ImageKeeper, type KeeperOptions } from './keeper.ts';
import { imageFolders, readManifest, type ManifestFile } from './local.ts';
import { OFFICIAL_IMAGES, type OfficialImage } from './official.ts';
import { SharedWork } from './sharing.ts';

interface ImageInfo extends Pick<GuestImage, 'id' | 'arch' | 'user' | 'minMemoryMiB'> {
  readonly origin: 'local' | 'official';
}

export interface Catalogue {
  /** Of the folder that the files are in. */
  readonly keeper: ImageKeeper;
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
  /** Holds the files that guests are made of: to be kept as long as there are guests. */
  readonly cacheDir: string;
  /** Each is an image's folder, or a folder of such. */
  readonly localDirs: readonly string[];
  /** Whether to offer the publishers' cloud images as well. They are, if not said otherwise. */
  readonly official?: boolean;
  /** Only images of this architecture are offered; that of this machine, if not said otherwise. */
  readonly arch?: GuestImage['arch'];
  readonly publishers?: readonly OfficialImage[];
  readonly bounds?: DownloadBounds;
  /** How much is kept, and what of it must be. All is, if not said otherwise. */
  readonly room?: Partial<Omit<KeeperOptions, 'folder' | 'bounds'>>;
}

const UNBOUNDED = {
  maxBytes: () => Number.POSITIVE_INFINITY,
  floorBytes: () => 0,
  inUse: async () => new Set<string>(),
  now: () => Date.now(),
};

interface Entry {
  readonly info: ImageInfo;
  readonly resolve: (signal: AbortSignal) => Promise<GuestImage>;
}

/** @throws {GolemError} `invalid_request` when a local image makes no sense, or two have one id */
export async function openCatalogue(options: CatalogueOptions): Promise<Catalogue> {
  const { official = true, publishers = OFFICIAL_IMAGES } = options;
  const arch = options.arch ?? (process.arch === 'arm64' ? 'aarch64' : 'x86_64');
  const files = new VerifiedFiles();
  const cacheDir = resolve(options.cacheDir);
  const bounds = options.bounds ?? AGENT_LIMITS.images;
  const keeper = new ImageKeeper({ ...UNBOUNDED, ...options.room, folder: cacheDir, bounds });
  const cache = new ImageCache(cacheDir, files, bounds, keeper);
  await cache.prepare();
  const entries = new Map<string, Entry>();
  const add = (entry: Entry) => {
    if (entry.info.arch !== arch) return;
    if (entries.has(entry.info.id)) {
      throw new GolemError('invalid_request', `Two images have the id ${entry.info.id}.`);
    }
    entries.set(entry.info.id, entry);
  };
  for (const localDir of options.localDirs) {
    for (const folder of await imageFolders(localDir)) add(await localEntry(folder, cache));
  }
  for (const image of official ? publishers : []) add(officialEntry(image, cache));

  const shared = new SharedWork<GuestImage>();
  return {
    list: () => [...entries.values()].map(({ info }) => info),
    keeper,
    resolve: async (id, signal) => {
      const entry = entries.get(id);
      if (entry) return shared.join(id, signal, entry.resolve);
      throw new GolemError('image_unknown', undefined, {
        hint: `It offers ${[...entries.keys()].join(', ') || 'none at all'}.`,
      });
    },
  };
}

function officialEntry(image: OfficialImage, cache: ImageCache): Entry {
  const { id, arch, user, minMemoryMiB } = image;
  const common = { id, arch, user, minMemoryMiB };
  return {
    info: { ...common, origin: 'official' },
    resolve: async (signal) => ({ ...common, disk: await cache.official(image, signal) }),
  };
}

async function localEntry(folder: string, cache: ImageCache): Promise<Entry> {
  const { id, arch, user, minMemoryMiB } = await readManifest(folder);
  return {
    info: { id, arch, user, minMemoryMiB, origin: 'local' },
    resolve: (signal) => resolveLocal(folder, id, cache, signal),
  };
}

/** Reads the manifest anew: the image may have been built again since. */
async function resolveLocal(
  folder: string,
  id: string,
  cache: ImageCache,
  signal: AbortSignal,
): Promise<GuestImage> {
  const manifest = await readManifest(folder);
  if (manifest.id !== id) throw new GolemError('image_unknown');
  const kept = async ({ file, sha256 }: ManifestFile, kind: FileKind) => {
    const digest = { algorithm: 'sha256', hex: sha256 } as const;
    const path = await cache.keep(join(folder, file), digest, kind, signal);
    if (path !== undefined) return path;
    throw new GolemError(
      'launch_failed',
      `The file ${file} of the image ${id} is damaged or missing.`,
      { hint: 'The provider has to build or copy the image again.' },
    );
  };
  const { arch, user, minMemoryMiB, readyMarker, kernel } = manifest;
  return {
    ...{ id, arch, user, minMemoryMiB, disk: await kept(manifest.disk, 'qcow2') },
    ...(readyMarker === undefined ? {} : { readyMarker }),
    ...(kernel && {
      kernel: {
        vmlinuz: await kept(kernel.vmlinuz, 'vmlinuz'),
        initrd: await kept(kernel.initrd, 'initrd'),
        append: kernel.append,
      },
    }),
  };
}
