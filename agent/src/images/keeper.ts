/**
 * Keeps the folder of images within its bounds. When each file was last used is the time of a small
 * file beside it: nothing has to be written whole, so nothing is lost by a kill.
 */
import { readdir, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { DownloadBounds } from './download.ts';
import { PART_SUFFIX } from './download.ts';
import { chooseEvictions, type KeptFile } from './eviction.ts';

const USED_SUFFIX = '.used';
const IMAGE_NAME = /^sha(?:256|512)-[0-9a-f]+\.(?:qcow2|vmlinuz|initrd)$/;
/** So are blocks counted, whatever the file system's own are. */
const BLOCK_BYTES = 512;

export interface KeeperOptions {
  readonly folder: string;
  /** What the cache may hold, in bytes. */
  readonly maxBytes: () => number;
  /** What stays free on its disk. */
  readonly floorBytes: () => number;
  /**
   * Absolute paths that guests need. When they cannot be told, nothing is removed.
   * @throws whatever keeps it from being sure
   */
  readonly inUse: () => Promise<ReadonlySet<string>>;
  readonly bounds: DownloadBounds;
  readonly now: () => number;
}

export class ImageKeeper {
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** A file, if it is here, is about to be used, and cannot go for a while. */
  async use(path: string): Promise<void> {
    if (!(await present(path))) return;
    const note = `${path}${USED_SUFFIX}`;
    const now = new Date(this.#options.now());
    await utimes(note, now, now).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await writeFile(note, '', { mode: 0o600 });
      await utimes(note, now, now);
    });
  }

  /**
   * Makes room for a file that is to be kept.
   * @throws {GolemError} `launch_failed` when there is none
   */
  async makeRoomFor(bytes: number): Promise<void> {
    const { folder, floorBytes } = this.#options;
    await this.#evict(bytes, floorBytes() + bytes - (await freeBytes(folder)));
    if ((await freeBytes(folder)) - bytes >= floorBytes()) return;
    throw new GolemError('launch_failed', 'The provider has no room on its disk for the image.', {
      hint: 'Take an image that it has already, or another provider.',
    });
  }

  /** @returns what was freed of `missingBytes`, or of what is beyond the bounds */
  trim(missingBytes: number): Promise<number> {
    return this.#evict(0, missingBytes);
  }

  /** What the cache holds of the disk. */
  async bytes(): Promise<number> {
    const files = await this.#files(new Set());
    return files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Removes what an agent that was killed has left, and notes about files that are gone. */
  async tidy(): Promise<void> {
    const { folder, bounds, now } = this.#options;
    const names = new Set(await readdir(folder));
    for (const name of names) {
      const path = join(folder, name);
      if (name.endsWith(USED_SUFFIX)) {
        if (!names.has(name.slice(0, -USED_SUFFIX.length))) await rm(path, { force: true });
      } else if (name.endsWith(PART_SUFFIX)) {
        const info = await present(path);
        const isLeft = info !== undefined && now() - info.mtimeMs > bounds.leftoverMillis;
        if (isLeft) await rm(path, { force: true });
      }
    }
  }

  async #evict(wantedBytes: number, missingBytes: number): Promise<number> {
    const { folder, maxBytes, inUse, bounds, now } = this.#options;
    const files = await this.#files(await inUse());
    const chosen = chooseEvictions(files, {
      ...{ maxBytes: maxBytes(), wantedBytes, missingBytes, now: now() },
      recentMillis: bounds.recentMillis,
    });
    for (const name of chosen) {
      // The note goes last: a file without one would count as older than it is.
      await rm(join(folder, name), { force: true });
      await rm(join(folder, `${name}${USED_SUFFIX}`), { force: true });
    }
    const removed = new Set(chosen);
    return files.reduce((sum, { name, bytes }) => sum + (removed.has(name) ? bytes : 0), 0);
  }

  async #files(inUse: ReadonlySet<string>): Promise<KeptFile[]> {
    const { folder } = this.#options;
    const files: KeptFile[] = [];
    for (const name of await readdir(folder)) {
      if (!IMAGE_NAME.test(name)) continue;
      const path = join(folder, name);
      const info = await present(path);
      if (!info) continue;
      const note = await present(`${path}${USED_SUFFIX}`);
      files.push({
        name,
        bytes: info.nlink > 1 ? 0 : info.blocks * BLOCK_BYTES,
        usedAt: note?.mtimeMs ?? info.mtimeMs,
        isInUse: inUse.has(path),
      });
    }
    return files;
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function present(path: string) {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
