/** Small files that hold secrets or must never be half-written. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';

const PRIVATE = 0o600;

/** @returns undefined when there is no such file */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces the file as a whole: whoever reads sees the old or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const next = await writeBeside(path, text);
  await rename(next, path);
}

/** Creates the file, or leaves the one that another process created first. @returns what is in it */
export async function createFile(path: string, text: string): Promise<string> {
  const next = await writeBeside(path, text);
  try {
    await link(next, path);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return await readFile(path, 'utf8');
  } finally {
    await rm(next, { force: true });
  }
}

/** @throws {GolemError} `forbidden` when others may read the file */
export async function checkPrivate(path: string): Promise<void> {
  const { mode } = await stat(path);
  if (process.platform === 'win32' || (mode & 0o077) === 0) return;
  throw new GolemError('forbidden', `Others may read the key ${path}.`, {
    hint: `Run: chmod 600 ${path}`,
  });
}

async function writeBeside(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.${randomBytes(6).toString('hex')}.new`;
  await writeFile(next, text, { mode: PRIVATE, flag: 'wx', flush: true });
  return next;
}
