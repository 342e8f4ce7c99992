/** Small files that hold secrets or must never be half-written. */
import fs, {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';

const PRIVATE = 0o600;
const UNFINISHED = '.new';

/** @returns undefined when there is no such file */
export async function readIfThere(
  path: string,
  encoding: BufferEncoding = 'utf8',
): Promise<string | undefined> {
  return fs.promises.readFile(path, encoding).catch(undefinedIfMissing);
}

/** For what has to be done without a pause, as under a lock. */
export function readIfThereSync(
  path: string,
  encoding: BufferEncoding = 'utf8',
): string | undefined {
  try {
    return readFileSync(path, encoding);
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

/** Replaces the file as a whole: whoever reads sees the old or the new one, also after a kill. */
export function replaceFileSync(path: string, text: string): void {
  renameSync(writeBeside(path, text), path);
}

/**
 * Replaces a file that others change without a lock.
 * @param before what it was when `after` was made of it, undefined for no file
 * @returns false, and leaves it as it is, when it is something else by now
 */
export function exchangeFileSync(
  path: string,
  before: string | undefined,
  after: string,
  encoding: BufferEncoding = 'utf8',
): boolean {
  if (before === undefined) return createFileSync(path, after, encoding);
  const next = writeBeside(path, after, encoding);
  try {
    if (readIfThereSync(path, encoding) !== before) return false;
    renameSync(next, path);
    return true;
  } finally {
    rmSync(next, { force: true });
  }
}

/** Creates the file, or leaves the one that another process created first. @returns what is in it */
export async function createFile(path: string, text: string): Promise<string> {
  return createFileSync(path, text) ? text : fs.promises.readFile(path, 'utf8');
}

/** @returns false, and leaves it as it is, when there is a file already */
export function createFileSync(
  path: string,
  text: string,
  encoding: BufferEncoding = 'utf8',
): boolean {
  const next = writeBeside(path, text, encoding);
  try {
    linkSync(next, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(next, { force: true });
  }
}

/** Removes what programs left behind that were killed while they wrote, before `deadline` (ms). */
export function removeLeftovers(folder: string, deadline: number): void {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(UNFINISHED)) continue;
    const path = join(folder, name);
    const { mtimeMs = deadline } = statSync(path, { throwIfNoEntry: false }) ?? {};
    if (mtimeMs < deadline) rmSync(path, { force: true });
  }
}

/** @throws {GolemError} `forbidden` when others may read the file */
export async function checkPrivate(path: string): Promise<void> {
  const { mode } = await fs.promises.stat(path);
  if (process.platform === 'win32' || (mode & 0o077) === 0) return;
  throw new GolemError('forbidden', `Others may read the key ${path}.`, {
    hint: `Run: chmod 600 ${path}`,
  });
}

function writeBeside(path: string, text: string, encoding: BufferEncoding = 'utf8'): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.${randomName()}${UNFINISHED}`;
  writeFileSync(next, text, { encoding, mode: PRIVATE, flag: 'wx', flush: true });
  return next;
}

function undefinedIfMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

/** No other program makes the same one. Node's own module for this takes as long to load as all here. */
function randomName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('hex');
}
