/** The guest's two file systems: a small initrd that finds the disk, and the disk itself. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  readdir,
  realpath,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { guestModules } from './modules.ts';
import type { Variant } from './packages.ts';

const run = promisify(execFile);
const files = join(import.meta.dirname, 'guest');

/** Room for the system; a guest's own disk is larger, and grown at its first boot. */
const DISK_MIB = { tiny: 96, interop: 224 } as const;
/** With the 1 KiB that mke2fs gives small disks, growing to 200 GiB takes half a minute. */
const BLOCK_BYTES = 4096;

const PROGRAMS = [
  'usr/sbin/dropbear',
  'usr/bin/dropbearconvert',
  'usr/lib/openssh/sftp-server',
  'sbin/resize2fs',
] as const;

/** @param packages folder with the unpacked packages */
export async function writeInitrd(
  packages: string,
  scratch: string,
  output: string,
): Promise<string> {
  const root = join(scratch, 'initrd');
  for (const folder of ['bin', 'dev', 'proc', 'root', 'modules']) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await copyFile(await busybox(packages), join(root, 'bin/busybox'));
  await symlink('busybox', join(root, 'bin/sh'));
  const modules = await guestModules(packages);
  for (const file of modules.files) await copyFile(file, join(root, 'modules', basename(file)));
  await writeFile(
    join(root, 'modules/order'),
    modules.files.map((file) => `${basename(file)}\n`).join(''),
  );
  await install(join(files, 'initrd-init'), join(root, 'init'), 0o755);

  const archive = spawn('cpio', ['--create', '--format=newc', '--owner=0:0', '--quiet'], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const entries = (await readdir(root, { recursive: true })).sort();
  archive.stdin.end(['.', ...entries].join('\n'));
  const closed = once(archive, 'close');
  await pipeline(archive.stdout, createGzip({ level: 6 }), createWriteStream(output));
  const [code] = await closed;
  if (code !== 0) throw new Error(`cpio ended with ${String(code)}`);
  return modules.release;
}

/** Writes a qcow2 with an ext4 root file system. No loop device, no mount. */
export async function writeDisk(
  packages: string,
  variant: Variant,
  scratch: string,
  output: string,
): Promise<void> {
  const root = join(scratch, 'system');
  for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true });
  for (const link of ['bin', 'sbin', 'lib', 'lib64'])
    await symlink(`usr/${link}`, join(root, link));
  await copyFile(await busybox(packages), join(root, 'usr/bin/busybox'));
  const { stdout } = await run(join(root, 'usr/bin/busybox'), ['--list']);
  for (const applet of stdout.split('\n').filter((name) => name && name !== 'busybox')) {
    await symlink('busybox', join(root, 'usr/bin', applet));
  }
  await symlink('../bin/busybox', join(root, 'usr/sbin/init'));
  // Where dropbear looks for it.
  await symlink('openssh/sftp-server', join(root, 'usr/lib/sftp-server'));
  for (const program of PROGRAMS) await installProgram(packages, program, root);
  if (variant === 'interop') await installTools(packages, root);
  await cp(join(packages, 'etc'), join(root, 'etc'), { recursive: true, verbatimSymlinks: true });
  await cp(join(packages, 'usr/lib/os-release'), join(root, 'usr/lib/os-release'));
  for (const [path, text] of Object.entries(TEXT_FILES)) await writeFile(join(root, path), text);
  await install(join(files, 'start'), join(root, 'etc/init.d/start'), 0o755);
  await install(join(files, 'dhcp-lease'), join(root, 'etc/dhcp-lease'), 0o755);
  await install(join(files, 'inittab'), join(root, 'etc/inittab'), 0o644);
  await chmod(join(root, 'etc/shadow'), 0o600);
  await chmod(join(root, 'etc/acpi/PWRF/00000080'), 0o755);
  await chmod(join(root, 'root'), 0o700);
  await chmod(join(root, 'root/.ssh'), 0o700);

  const raw = join(scratch, 'disk.raw');
  await writeFile(raw, '');
  await truncate(raw, DISK_MIB[variant] * 1024 * 1024);
  await asRoot('mke2fs', [
    ...['-q', '-t', 'ext4', '-b', String(BLOCK_BYTES), '-L', 'golem-root', '-m', '0'],
    ...['-E', 'lazy_itable_init=1,root_owner=0:0', '-d', root, raw],
  ]);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, output]);
}

const FOLDERS = [
  ...['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'dev', 'proc', 'sys', 'run', 'tmp', 'mnt'],
  ...['root/.ssh', 'var/lib', 'var/log', 'etc/init.d', 'etc/acpi/PWRF', 'home'],
];

const TEXT_FILES: Readonly<Record<string, string>> = {
  // '*' is no password at all: a key is the only way in.
  'etc/passwd': 'root:*:0:0:root:/root:/bin/sh\n',
  'etc/shadow': 'root:*:19000:0:99999:7:::\n',
  'etc/group': 'root:x:0:\n',
  'etc/shells': '/bin/sh\n',
  'etc/nsswitch.conf': 'hosts: files dns\n',
  'etc/acpi/PWRF/00000080': '#!/bin/sh\nexec poweroff\n',
};

/** rsync, git without what it fetches over HTTP with, and Python with its library. */
async function installTools(packages: string, root: string): Promise<void> {
  const [python] = (await readdir(join(packages, 'usr/bin'))).filter((name) =>
    /^python3\.\d+$/.test(name),
  );
  if (!python) throw new Error('the packages have no Python');
  for (const program of ['rsync', 'git', python]) {
    await installProgram(packages, `usr/bin/${program}`, root);
  }
  await symlink(python, join(root, 'usr/bin/python3'));
  // What the other end asks for by name. git knows what it is by the name that it is called by.
  for (const name of ['git-upload-pack', 'git-receive-pack', 'git-upload-archive']) {
    await symlink('git', join(root, 'usr/bin', name));
  }
  await cp(join(packages, 'usr/share/git-core'), join(root, 'usr/share/git-core'), {
    recursive: true,
  });
  await cp(join(packages, 'usr/lib', python), join(root, 'usr/lib', python), {
    recursive: true,
    verbatimSymlinks: true,
  });
}

async function busybox(packages: string): Promise<string> {
  for (const path of ['usr/bin/busybox', 'bin/busybox']) {
    const found = await realpath(join(packages, path)).catch(() => undefined);
    if (found) return found;
  }
  throw new Error('the package busybox-static has no busybox');
}

/** Copies a program and all the libraries that it links to. */
async function installProgram(packages: string, program: string, root: string): Promise<void> {
  const source = await firstReal(packages, [program, `usr/${program}`]);
  await install(source, join(root, program.replace(/^(?:usr\/)?/, 'usr/')), 0o755);
  const loader = await firstReal(packages, [
    'lib64/ld-linux-x86-64.so.2',
    'usr/lib64/ld-linux-x86-64.so.2',
  ]);
  const folders = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((path) =>
    join(packages, path),
  );
  const { stdout } = await run(loader, ['--list', '--library-path', folders.join(':'), source]);
  for (const [, name, path] of stdout.matchAll(/^\s*([^\s/]+) => (\S+)/gm)) {
    if (!path?.startsWith(packages))
      throw new Error(`${program} links to ${name}, which no package brings`);
    await install(await realpath(path), join(root, 'usr/lib/x86_64-linux-gnu', name ?? ''), 0o644);
  }
  await install(loader, join(root, 'usr/lib64/ld-linux-x86-64.so.2'), 0o755);
}

async function firstReal(root: string, candidates: readonly string[]): Promise<string> {
  for (const candidate of candidates) {
    const found = await realpath(join(root, candidate)).catch(() => undefined);
    if (found) return found;
  }
  throw new Error(`the packages have no ${candidates[0]}`);
}

async function install(from: string, to: string, mode: number): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { force: true });
  await copyFile(from, to);
  await chmod(to, mode);
}

/** The files in the image belong to root: without being it, one of these stands in. */
const ROOT_STAND_INS = [['fakeroot'], ['unshare', '--user', '--map-root-user']] as const;

async function asRoot(program: string, args: readonly string[]): Promise<void> {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  const env = { ...process.env, PATH: path };
  if (process.getuid?.() === 0) return void (await run(program, [...args], { env }));
  for (const [standIn, ...options] of ROOT_STAND_INS) {
    const works = await run(standIn, [...options, 'true'], { env }).then(
      () => true,
      () => false,
    );
    if (works) return void (await run(standIn, [...options, program, ...args], { env }));
  }
  throw new Error('without root, building the image needs the package fakeroot');
}
