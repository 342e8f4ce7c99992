/** Writes the configuration file: whole or not at all, whatever happens in between. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { checkText } from './config.ts';
import { parseConfig, withSetting } from './file.ts';
import { settingOf, type SettingName } from './settings.ts';

/** Readable for everybody, as there is no secret in it; whoever may write it decides what is rented out. */
const MODE = 0o644;

/**
 * Changes settings and leaves everything else in the file as it is.
 * @throws {GolemError} `usage` when a value is wrong: then nothing is written
 */
export async function writeSettings(
  file: string,
  changes: readonly (readonly [SettingName, string])[],
): Promise<void> {
  let content = await readOrEmpty(file);
  for (const [name, value] of changes) {
    const values = settingOf(name).multiple ? value.split(',') : [value];
    for (const each of values) checkText(name, each, name);
    content = withSetting(content, name, value);
  }
  // What cannot be read again must not be written.
  parseConfig(content, file);
  await writeConfigFile(file, content, { replace: true });
}

/** @throws {GolemError} `file_exists` */
export function refuseIfThere(file: string): void {
  if (existsSync(file)) throw thereAlready(file);
}

/** @throws {GolemError} `file_exists` when there is one and it is not to be replaced */
export async function writeConfigFile(
  file: string,
  content: string,
  { replace }: { readonly replace: boolean },
): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    try {
      await writeDraft(draft, content, replace ? await modeOf(file) : MODE);
      // A link is never made where something is, however late that came.
      await (replace ? rename(draft, file) : link(draft, file));
    } finally {
      await rm(draft, { force: true });
    }
  } catch (error) {
    throw explain(error, file);
  }
}

/** Any file that others may read: it is there as a whole, or as it was. */
export function writeWhole(file: string, content: string): Promise<void> {
  return writeConfigFile(file, content, { replace: true });
}

async function writeDraft(draft: string, content: string, mode: number): Promise<void> {
  const handle = await open(draft, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readOrEmpty(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw explain(error, file);
  }
}

async function modeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).mode & 0o777;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return MODE;
    throw error;
  }
}

function explain(cause: unknown, file: string): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EEXIST') return thereAlready(file, cause);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new GolemError('forbidden', `${file} cannot be written: ${message}`, {
      cause,
      hint: 'Run this as its owner, such as with sudo, or name another file with --config.',
    });
  }
  return cause as Error;
}

function thereAlready(file: string, cause?: unknown): GolemError {
  return new GolemError('file_exists', `${file} is there already.`, {
    cause,
    hint: 'Change it with golem-provider config set, or replace it with --force.',
  });
}
