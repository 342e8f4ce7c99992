/** Files of either side, as far as copying needs them: this machine's, or a guest's over SFTP. */
import {
  open,
  lstat,
  mkdir,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { join, posix } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { FileEntry, SFTPWrapper, Stats } from 'ssh2';
import { asker, type Asker } from './asker.ts';
import { readInFlight, writeInFlight } from './requests.ts';
import { told } from './told.ts';

export interface Entry {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Permission bits alone. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/** A file that is open. Closing it is up to whoever opened it. */
export interface OpenFile extends AsyncDisposable {
  /** From the beginning to the end. */
  read(): AsyncIterable<Uint8Array>;
  /** In the order of the calls. Resolves when it may be called again, not when it is written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when everything is written. */
  flush(): Promise<void>;
  setMode(mode: number): Promise<void>;
  setTime(mtime: number): Promise<void>;
}

export interface Files {
  /** What it says of itself is nobody else's word: this machine's own files, and not a guest's. */
  readonly isOurs: boolean;
  /** @returns undefined when there is nothing; links are followed unless `isLink` is asked for */
  stat(path: string, asLink?: boolean): Promise<Entry | undefined>;
  list(path: string): Promise<string[]>;
  /** Makes it, with this mode before the umask; content with one that is there. */
  makeFolder(path: string, mode: number): Promise<void>;
  openToRead(path: string): Promise<OpenFile>;
  /** @param isNew refuses one that is there already, and a link in its place */
  openToWrite(path: string, mode: number, isNew: boolean): Promise<OpenFile>;
  /** In the place of what is there. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  readLink(path: string): Promise<string>;
  makeLink(target: string, path: string): Promise<void>;
  /** Absolute, with links resolved. */
  resolve(path: string): Promise<string>;
  setFolder(path: string, mode: number, mtime: number): Promise<void>;
  join(folder: string, name: string): string;
  parent(path: string): string;
}

const PERMISSIONS = 0o7777;

type Shape = Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>;
const kindOf = (stats: Shape): Entry['kind'] => {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  return stats.isSymbolicLink() ? 'link' : 'other';
};

const isMissing = (error: unknown) => {
  const code = (error as { code?: unknown }).code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === SFTP_NO_SUCH_FILE;
};
const SFTP_NO_SUCH_FILE = 2;

export const localFiles: Files = {
  isOurs: true,
  stat: async (path, asLink = false) => {
    try {
      const stats = await (asLink ? lstat(path) : stat(path));
      const { mode, size, mtimeMs } = stats;
      return {
        kind: kindOf(stats),
        mode: mode & PERMISSIONS,
        size,
        mtime: Math.floor(mtimeMs / 1000),
      };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  list: (path) => readdir(path),
  makeFolder: async (path, mode) => {
    await mkdir(path, { recursive: true, mode });
  },
  openToRead: async (path) => localFile(await open(path, 'r')),
  openToWrite: async (path, mode, isNew) => localFile(await open(path, isNew ? 'wx' : 'w', mode)),
  rename,
  remove: (path) => rm(path, { force: true }),
  readLink: (path) => readlink(path),
  makeLink: (target, path) => symlink(target, path),
  resolve: (path) => realpath(path),
  setFolder: async (path, mode, mtime) => {
    const handle = await open(path, 'r');
    try {
      await handle.chmod(mode);
      await handle.utimes(mtime, mtime);
    } finally {
      await handle.close();
    }
  },
  join: (folder, name) => join(folder, name),
  parent: (path) => join(path, '..'),
};

function localFile(handle: Awaited<ReturnType<typeof open>>): OpenFile {
  return {
    read: () => handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 }),
    write: async (bytes) => {
      await handle.writeFile(bytes);
    },
    flush: async () => undefined,
    setMode: (mode) => handle.chmod(mode),
    setTime: (mtime) => handle.utimes(mtime, mtime),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/**
 * @param closed resolves when the connection is no more, with the reason
 * @param signal ends all waiting, at once; what is half written is still removed if the guest answers
 */
export function guestFiles(
  sftp: SFTPWrapper,
  closed: Promise<Error | undefined>,
  signal: AbortSignal,
): Files {
  const askers = asker(sftp, closed, signal);
  const { ask: asked, tidy } = askers;
  const openFile = async (path: string, flags: 'r' | 'w' | 'wx', mode = 0o666) =>
    guestFile(
      { sftp, path, handle: await asked<Buffer>((done) => sftp.open(path, flags, { mode }, done)) },
      askers,
    );
  const statOf: Files['stat'] = async (path, asLink = false) => {
    try {
      const stats = await asked<Stats>((done) =>
        asLink ? sftp.lstat(path, done) : sftp.stat(path, done),
      );
      const { mode, size, mtime } = stats;
      return { kind: kindOf(stats), mode: mode & PERMISSIONS, size, mtime };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  };
  return {
    isOurs: false,
    stat: statOf,
    list: async (path) =>
      (await asked<FileEntry[]>((done) => sftp.readdir(path, done))).map(
        ({ filename }) => filename,
      ),
    makeFolder: async (path, mode) => {
      try {
        await asked((done) => sftp.mkdir(path, { mode }, done));
      } catch (error) {
        // SFTP has no code of its own for what is there already.
        if ((await statOf(path))?.kind !== 'folder') throw error;
      }
    },
    openToRead: (path) => openFile(path, 'r'),
    openToWrite: (path, mode, isNew) => openFile(path, isNew ? 'wx' : 'w', mode),
    rename: async (from, to) => {
      try {
        await asked((done) => sftp.ext_openssh_rename(from, to, done));
      } catch (error) {
        // ssh2's own words for a server without the extension: plain SFTP replaces nothing.
        if (!(error instanceof Error) || !/does not support/i.test(error.message)) throw error;
        await asked((done) => sftp.unlink(to, done)).catch(() => undefined);
        await asked((done) => sftp.rename(from, to, done));
      }
    },
    remove: (path) => tidy((done) => sftp.unlink(path, done)),
    readLink: (path) => asked((done) => sftp.readlink(path, done)),
    makeLink: (target, path) =>
      asked((done) => {
        // OpenSSH's server has the two the other way round than the draft, and so has everybody who
        // wants to be used with it. ssh2 looks at who serves SSH, which may be another program.
        if (Reflect.get(sftp, '_isOpenSSH')) sftp.symlink(target, path, done);
        else sftp.symlink(path, target, done);
      }),
    resolve: (path) => asked((done) => sftp.realpath(path, done)),
    setFolder: (path, mode, mtime) =>
      asked((done) => sftp.setstat(path, { mode, atime: mtime, mtime }, done)),
    join: (folder, name) => (folder === '.' ? name : posix.join(folder, name)),
    parent: (path) => posix.join(path, '..'),
  };
}

interface Opened {
  readonly sftp: SFTPWrapper;
  readonly path: string;
  readonly handle: Buffer;
}

function guestFile({ sftp, path, handle }: Opened, { ask: asked, tidy }: Asker): OpenFile {
  const writer = writeInFlight((bytes, position) =>
    asked((done) => sftp.write(handle, bytes, 0, bytes.length, position, done)),
  );
  return {
    read: () =>
      readInFlight((length, position) =>
        asked<Uint8Array>((done) => {
          const buffer = Buffer.allocUnsafe(length);
          sftp.read(handle, buffer, 0, length, position, (error, size) => {
            // ssh2 tells the end of the file as an error by that code.
            const isEnd = (error as { code?: unknown } | undefined)?.code === SFTP_EOF;
            done(isEnd ? undefined : error, buffer.subarray(0, isEnd ? 0 : size));
          });
        }),
      ),
    write: (bytes) => writer.write(bytes),
    flush: () => writer.flush(),
    setMode: (mode) => asked((done) => sftp.fchmod(handle, mode, done)),
    setTime: (mtime) => asked((done) => sftp.futimes(handle, mtime, mtime, done)),
    [Symbol.asyncDispose]: async () => {
      try {
        await tidy((done) => sftp.close(handle, done));
      } catch (error) {
        // It went with its connection, of which the one who reads or writes has heard.
        if (!(error instanceof GolemError)) await told(path, Promise.reject(error));
      }
    },
  };
}
const SFTP_EOF = 1;
