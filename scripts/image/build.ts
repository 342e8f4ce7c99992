/**
 * `npm run image`: a small Debian guest image made of Debian packages alone, for machines that
 * cannot fetch the official cloud images. Built once; `--refresh` looks for newer packages.
 * `--variant interop` builds the one that has rsync, git and Python in it, beside the first.
 */
import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeDisk, writeInitrd } from './filesystem.ts';
import { unpackGuestPackages, type Variant } from './packages.ts';

/** Settings that spare an emulated guest work which only real hardware needs. */
const KERNEL_COMMAND_LINE =
  'console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check cryptomgr.notests';

const { values: options } = parseArgs({
  options: {
    refresh: { type: 'boolean', default: false },
    variant: { type: 'string', default: 'tiny' },
  },
});
const variant = readVariant(options.variant);
const IMAGE_ID = `debian-12-${variant}`;
const images =
  process.env['GOLEM_IMAGE_CACHE'] ?? join(import.meta.dirname, '..', '..', '.cache', 'images');
// Providers offer all that is in a folder, and whoever names no image is given the first.
const cache = variant === 'tiny' ? images : `${images}-${variant}`;
const home = join(cache, IMAGE_ID);

const recipe = await recipeDigest();
const current = await builtImage();
if (options.refresh || current?.recipe !== recipe) await build();
console.log(home);

async function build(): Promise<void> {
  const started = performance.now();
  const scratch = await mkdtemp(join(tmpdir(), 'golem-image-'));
  try {
    console.error(`image: building ${IMAGE_ID} from Debian packages`);
    const packages = await unpackGuestPackages(scratch, variant);
    if (current?.recipe === recipe && sameVersions(current.packages, packages.versions)) {
      console.error('image: nothing newer');
      return;
    }
    const made = join(scratch, 'made');
    await mkdir(made);
    const release = await writeInitrd(packages.root, scratch, join(made, 'initrd'));
    await copyFile(join(packages.root, `boot/vmlinuz-${release}`), join(made, 'vmlinuz'));
    await writeDisk(packages.root, variant, scratch, join(made, 'disk.qcow2'));
    const manifest = {
      version: 1,
      id: IMAGE_ID,
      arch: 'x86_64',
      user: 'root',
      minMemoryMiB: 128,
      readyMarker: 'golem-guest: ready',
      disk: await described(made, 'disk.qcow2'),
      kernel: {
        vmlinuz: await described(made, 'vmlinuz'),
        initrd: await described(made, 'initrd'),
        append: KERNEL_COMMAND_LINE,
      },
      recipe,
      packages: packages.versions,
    };
    await writeFile(join(made, 'image.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await publish(made);
    console.error(`image: built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function readVariant(text: string): Variant {
  if (text === 'tiny' || text === 'interop') return text;
  throw new Error(`there is no image variant '${text}': there are tiny and interop`);
}

/** The folder appears whole or not at all. The scratch folder may be on another file system. */
async function publish(made: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  // Hidden, so that nobody takes it for an image before it is one.
  const next = await mkdtemp(join(cache, `.${IMAGE_ID}-`));
  try {
    for (const file of await readdir(made)) await copyFile(join(made, file), join(next, file));
    await chmod(next, 0o755);
    await rm(home, { recursive: true, force: true });
    await rename(next, home);
  } finally {
    await rm(next, { recursive: true, force: true });
  }
}

interface DescribedFile {
  readonly file: string;
  readonly sha256: string;
}

async function described(folder: string, file: string): Promise<DescribedFile> {
  const bytes = await readFile(join(folder, file));
  return { file, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Changes whenever the way in which the image is built changes. */
async function recipeDigest(): Promise<string> {
  const hash = createHash('sha256');
  for (const entry of (
    await readdir(import.meta.dirname, { recursive: true, withFileTypes: true })
  ).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isFile()) continue;
    hash.update(entry.name).update(await readFile(join(entry.parentPath, entry.name)));
  }
  return hash.digest('hex');
}

interface Manifest {
  readonly disk: DescribedFile;
  readonly kernel: { readonly vmlinuz: DescribedFile; readonly initrd: DescribedFile };
  readonly recipe: string;
  readonly packages: Record<string, string>;
}

/** @returns the manifest of the image that is there, or undefined when it is not there whole */
async function builtImage(): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(home, 'image.json'), 'utf8')) as Manifest;
    const { disk, kernel } = manifest;
    for (const { file, sha256 } of [disk, kernel.vmlinuz, kernel.initrd]) {
      if ((await described(home, file)).sha256 !== sha256) return undefined;
    }
    return manifest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError)
      return undefined;
    throw error;
  }
}

function sameVersions(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
