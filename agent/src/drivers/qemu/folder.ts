/**
 * What a guest is on disk: one folder that holds all of it, and nothing outside.
 *
 * Where QEMU runs as a user of its own, a QEMU that was taken over must not lead us astray with links:
 * the folder belongs to us, the files in it that QEMU writes to belong to QEMU, and it can make none but
 * its socket in `run`, which is closed to it before its guest does much: another agent goes by that socket.
 */
import { chmod, lchown, lstat, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import { DriverError } from '../driver.ts';
import { checkVmId } from '../names.ts';
import type { GuestUser } from './network/network.ts';

/** Shorter of the two limits on the path of a unix socket (macOS 104, Linux 108), with its zero. */
const SOCKET_PATH_BYTES = 103;

export interface GuestFolder {
  readonly vmId: string;
  readonly path: string;
  /** QEMU runs in it, and makes its socket there. */
  readonly run: string;
  readonly disk: string;
  readonly seed: string;
  /** Where its memory is kept while it is suspended. */
  readonly memory: string;
  readonly console: string;
  readonly qmp: string;
  readonly pid: string;
  readonly log: string;
}

export function guestFolder(stateDir: string, vmId: string): GuestFolder {
  checkVmId(vmId);
  const path = join(stateDir, vmId);
  const file = (name: string) => join(path, name);
  return {
    vmId,
    path,
    run: file('run'),
    disk: file('disk.qcow2'),
    seed: file('seed.iso'),
    memory: file('memory.qcow2'),
    console: file('console.log'),
    qmp: file('run/qmp.sock'),
    pid: file('qemu.pid'),
    log: file('qemu.log'),
  };
}

/** @throws {DriverError} when sockets below `stateDir` would have paths that no system takes. */
export async function prepareStateDir(stateDir: string): Promise<void> {
  const longest = join(stateDir, `vm_${'x'.repeat(20)}`, 'run', 'qmp.sock');
  const excess = Buffer.byteLength(longest) - SOCKET_PATH_BYTES;
  if (excess > 0) {
    throw new DriverError(
      'unavailable',
      `The data folder's path is ${excess} bytes too long for the sockets in it; choose a shorter one.`,
    );
  }
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
}

/** @throws {DriverError} `exists` */
export async function createGuestFolder(folder: GuestFolder): Promise<void> {
  try {
    await mkdir(folder.path, { mode: 0o700 });
    await mkdir(folder.run, { mode: 0o700 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new DriverError('exists', 'This guest exists already.', { cause });
  }
}

export async function guestExists(folder: GuestFolder): Promise<boolean> {
  return stat(folder.path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/** Ids of all guests below `stateDir`, half-made ones included. */
export async function guestIds(stateDir: string): Promise<string[]> {
  const names = await readdir(stateDir);
  return names.filter((name) => vmIdSchema.safeParse(name).success);
}

export async function removeGuestFolder(folder: GuestFolder): Promise<void> {
  await rm(folder.path, { recursive: true, force: true });
}

/** Gives a guest's user what its QEMU needs, and no more. Without one all stays ours. */
export async function handOver(folder: GuestFolder, user: GuestUser | undefined): Promise<void> {
  await (await open(folder.console, 'a', 0o600)).close();
  await chmod(folder.disk, 0o600);
  if (!user) return;
  const { uid, gid } = user;
  await lchown(folder.run, uid, gid);
  await chmod(folder.run, 0o700);
  for (const file of [folder.disk, folder.seed, folder.console]) await lchown(file, uid, gid);
  // It may pass through, and not look around.
  await lchown(folder.path, process.getuid?.() ?? 0, gid);
  await chmod(folder.path, 0o710);
}

/**
 * Once QEMU answers: it goes on passing through to its files, and can put nothing in the place of its
 * socket, such as a link to another guest's.
 */
export async function closeRun(folder: GuestFolder, user: GuestUser | undefined): Promise<void> {
  if (!user) return;
  await lchown(folder.run, process.getuid?.() ?? 0, user.gid);
  await chmod(folder.run, 0o750);
}

/** Whom the files of a guest were handed over to; undefined when that is us. */
export async function ownerOf(folder: GuestFolder): Promise<GuestUser | undefined> {
  const { uid, gid } = await lstat(folder.disk);
  return uid === process.getuid?.() ? undefined : { uid, gid };
}

/** The last `maxBytes` of a file that may be growing. Empty when there is none. */
export async function tail(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}
