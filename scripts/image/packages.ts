/** Debian packages, fetched and unpacked into a folder without being installed. Needs no root. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The kernel's package by distribution: the smallest flavour that is made for virtual machines. */
const KERNEL_PACKAGE: Readonly<Record<string, string>> = {
  debian: 'linux-image-cloud-amd64',
  ubuntu: 'linux-image-virtual',
};

/** What the guest consists of besides its kernel. Libraries are what these programs link to. */
const GUEST_PACKAGES = [
  'base-files',
  'busybox-static',
  'dropbear-bin',
  'openssh-sftp-server',
  'e2fsprogs',
  'libc6',
  'libcrypt1',
  'libtomcrypt1',
  'libtommath1',
  'libgmp10',
  'zlib1g',
  'libext2fs2',
  'libcom-err2',
  'libblkid1',
  'libuuid1',
  'libssl3',
] as const;

/** What a guest needs besides, to be the other end of programs that talk over SSH. */
const INTEROP_PACKAGES = [
  'rsync',
  'git',
  'libacl1',
  'liblz4-1',
  'libpopt0',
  'libxxhash0',
  'libzstd1',
  'libpcre2-8-0',
  'libexpat1',
] as const;

/** `tiny` is what guests are tested with; `interop` has rsync, git and Python as well. */
export type Variant = 'tiny' | 'interop';

export interface UnpackedPackages {
  /** Folder that looks like `/` with all packages in it. */
  readonly root: string;
  /** Version by package name. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Downloads the guest's packages from the sources that this machine is set up with, and unpacks
 * them below `folder`.
 */
export async function unpackGuestPackages(
  folder: string,
  variant: Variant,
): Promise<UnpackedPackages> {
  const apt = await privateApt(join(folder, 'apt'));
  const wanted: readonly string[] =
    variant === 'interop' ? [...GUEST_PACKAGES, ...INTEROP_PACKAGES] : GUEST_PACKAGES;
  const names = wanted.map((name) => apt.existing(name));
  names.push(
    ...(await apt.kernelPackages(
      KERNEL_PACKAGE[await distribution()] ?? 'linux-image-cloud-amd64',
    )),
  );
  if (variant === 'interop') names.push(...(await apt.pythonPackages()));

  const debs = join(folder, 'debs');
  const root = join(folder, 'root');
  await mkdir(debs, { recursive: true });
  await mkdir(root, { recursive: true });
  await apt.download(names, debs);
  const versions: Record<string, string> = {};
  for (const file of await readdir(debs)) {
    const deb = join(debs, file);
    const { stdout } = await run('dpkg-deb', [
      '--show',
      '--showformat',
      '${Package} ${Version}',
      deb,
    ]);
    const [name, version] = stdout.split(' ');
    if (name && version) versions[name] = version;
    await run('dpkg-deb', ['--extract', deb, root]);
  }
  return { root, versions };
}

async function distribution(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8');
  return /^ID=["']?([a-z]+)/m.exec(text)?.[1] ?? 'debian';
}

/**
 * apt with lists of its own: works without root, and on a machine where nobody ran `apt update`.
 */
async function privateApt(folder: string) {
  for (const name of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(join(folder, name), { recursive: true });
  }
  const status = join(folder, 'status');
  await writeFile(status, '');
  const options = [
    `Dir::State::Lists=${join(folder, 'lists')}`,
    `Dir::State::status=${status}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    // The sandbox user of apt cannot enter a folder of ours when we are root.
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);
  await run('apt-get', [...options, 'update', '-qq']);

  const { stdout: known } = await run('apt-cache', [...options, 'pkgnames'], {
    maxBuffer: 1 << 26,
  });
  const names = new Set(known.split('\n'));
  const dependencies = async (name: string, wanted: RegExp): Promise<string[]> => {
    const { stdout } = await run('apt-cache', [
      ...options,
      'depends',
      '--recurse',
      '--no-recommends',
      '--no-suggests',
      '--no-conflicts',
      '--no-breaks',
      '--no-replaces',
      '--no-enhances',
      name,
    ]);
    const found = new Set(stdout.split('\n').filter((line) => wanted.test(line)));
    if (found.size === 0) throw new Error(`${name} depends on nothing like ${wanted}`);
    return [...found];
  };
  return {
    /** Debian's own name, or the one that it got in the 64-bit time_t transition. */
    existing(name: string): string {
      for (const candidate of [name, `${name}t64`]) if (names.has(candidate)) return candidate;
      throw new Error(`the package sources of this machine do not have ${name}`);
    },
    async kernelPackages(meta: string): Promise<string[]> {
      const found = await dependencies(meta, /^linux-(?:image|modules)-\d/);
      return found.filter((name) => !name.includes('unsigned') && !name.endsWith('-dbg'));
    },
    /** The interpreter and its library, of the version that is Debian's own. */
    pythonPackages(): Promise<string[]> {
      return dependencies('python3', /^(?:lib)?python3\.\d+-(?:minimal|stdlib)$/);
    },
    async download(packages: readonly string[], into: string): Promise<void> {
      await run('apt-get', [...options, 'download', '-qq', ...packages], {
        cwd: into,
        maxBuffer: 1 << 24,
      });
    },
  };
}
