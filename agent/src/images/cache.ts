/**
 * Files of images, each under the name of its hash. Guests' disks are overlays of these files, and
 * guests boot from them again, so a file is never changed: a newer image is another file.
 */
import { constants } from 'node:fs';
import { copyFile, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { digestSchema, findDigest, type Digest, type VerifiedFiles } from './digest.ts';
import { download, fetchText, PART_SUFFIX, type DownloadBounds } from './download.ts';
import type { ImageKeeper } from './keeper.ts';
import type { OfficialImage } from './official.ts';

/** How a kept file is called, so that a person who looks can tell them apart. */
export type FileKind = 'qcow2' | 'vmlinuz' | 'initrd';

export class ImageCache {
  readonly #folder: string;
  readonly #files: VerifiedFiles;
  readonly #bounds: DownloadBounds;
  readonly #keeper: ImageKeeper;

  constructor(folder: string, files: VerifiedFiles, bounds: DownloadBounds, keeper: ImageKeeper) {
    this.#folder = folder;
    this.#files = files;
    this.#bounds = bounds;
    this.#keeper = keeper;
  }

  /** Makes the folder, and removes from it what was left unfinished long ago. */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#keeper.tidy();
  }

  /**
   * The disk of an official image, fetched when it is not here yet.
   * @throws {GolemError} `launch_failed` | {DriverError} `aborted` | `timeout`
   */
  async official(image: OfficialImage, signal: AbortSignal): Promise<string> {
    const known = await this.#remembered(image);
    if (known && (await this.#has(known, 'qcow2', signal))) return this.#path(known, 'qcow2');
    const digest = await this.#publishedDigest(image, signal);
    const path = this.#path(digest, 'qcow2');
    if (!(await this.#has(digest, 'qcow2', signal))) {
      await download(image.url, path, digest, this.#bounds, signal, (bytes) =>
        this.#keeper.makeRoomFor(bytes),
      );
    }
    await this.#remember(image, digest);
    return this.#path(digest, 'qcow2');
  }

  /**
   * A file of a local image, kept here as well: the folder that it comes from may be built anew
   * while there are guests of it.
   * @returns undefined when `source` does not hold the bytes of `digest`
   */
  async keep(
    source: string,
    digest: Digest,
    kind: FileKind,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const path = this.#path(digest, kind);
    if (await this.#has(digest, kind, signal)) return this.#path(digest, kind);
    if ((await this.#files.check(source, digest, signal)) !== 'good') return undefined;
    const part = `${path}.${randomBytes(6).toString('hex')}${PART_SUFFIX}`;
    try {
      await linkOrCopy(source, part);
      await rename(part, path);
    } finally {
      await rm(part, { force: true });
    }
    return (await this.#has(digest, kind, signal)) ? this.#path(digest, kind) : undefined;
  }

  async #publishedDigest(image: OfficialImage, signal: AbortSignal): Promise<Digest> {
    const { file, algorithm } = image.checksums;
    const list = new URL(file, image.url).href;
    const text = await fetchText(list, this.#bounds.checksumBytes, this.#bounds, signal);
    const name = new URL(image.url).pathname.split('/').at(-1) ?? '';
    const digest = findDigest(text, name, algorithm);
    if (digest) return digest;
    throw new GolemError(
      'launch_failed',
      `The publisher's list of checksums does not name the image ${image.id}.`,
    );
  }

  /** Whether it is here, for whoever is about to use it. */
  async #has(digest: Digest, kind: FileKind, signal: AbortSignal): Promise<boolean> {
    const path = this.#path(digest, kind);
    // First of all: to hash it takes a while, in which it must not go.
    await this.#keeper.use(path);
    return (await this.#files.check(path, digest, signal)) === 'good';
  }

  async #remembered(image: OfficialImage): Promise<Digest | undefined> {
    const text = await readFile(this.#notePath(image), 'utf8').catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      },
    );
    if (text === undefined) return undefined;
    // A damaged note says nothing: the publisher's list is asked again.
    return digestSchema.safeParse(parsed(text)).data;
  }

  async #remember(image: OfficialImage, digest: Digest): Promise<void> {
    const path = this.#notePath(image);
    const part = `${path}${PART_SUFFIX}`;
    await writeFile(part, JSON.stringify(digest), { flush: true });
    await rename(part, path);
  }

  #notePath({ id, arch }: OfficialImage): string {
    return join(this.#folder, `${id}.${arch}.json`);
  }

  #path({ algorithm, hex }: Digest, kind: FileKind): string {
    return join(this.#folder, `${algorithm}-${hex}.${kind}`);
  }
}

/** A second name costs nothing; across file systems there is none. */
async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    await copyFile(source, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
