/** Writes the configuration file: whole or not at all, whatever happens in between. */
import { randomUUID } from 'node:crypto';
import { existsSync, type Stats } from 'node:fs';
import { link, mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { checkText } from './config.ts';
import { parseConfig, withoutSetting, withSetting } from './file.ts';
import { settingOf, type SettingName } from './settings.ts';

/** Readable for everybody, as there is no secret in it; whoever may write it decides what is rented out. */
const MODE = 0o644;

/** A setting and its value as it would be typed; undefined takes it out of the file. */
export type Change = readonly [SettingName, string | undefined];

/**
 * Changes settings and leaves everything else in the file as it is.
 * @returns takes it back, for somebody else to whom it is wrong
 * @throws {GolemError} `usage` when a value is wrong or there is no file: then nothing is written
 */
export async function writeSettings(
  file: string,
  changes: readonly Change[],
): Promise<() => Promise<void>> {
  const before = await readOrUndefined(file);
  if (before === undefined) {
    // One that held nothing else would keep `init` from writing a whole one.
    throw new GolemError('usage', `There is no ${file} to write it into.`, {
      hint: 'Run golem-provider init first.',
    });
  }
  let content = before;
  for (const [name, value] of changes) {
    content =
      value === undefined
        ? withoutSetting(content, name, file)
        : withSetting(content, name, textFor(name, value), file);
  }
  // What cannot be read again must not be written.
  parseConfig(content, file);
  await writeConfigFile(file, content, { replace: true });
  return () => writeWhole(file, before);
}

/**
 * @returns what stands for `value` in the file: a switch is `true` or `false`, however it was typed
 * @throws {GolemError} `usage`
 */
export function textFor(name: SettingName, value: string): string {
  if (!settingOf(name).multiple) {
    const meant = checkText(name, value, name);
    return typeof meant === 'boolean' ? String(meant) : value;
  }
  if (value !== '') for (const each of value.split(',')) checkText(name, each, name);
  return value;
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
  try {
    await mkdir(dirname(file), { recursive: true });
    // A file that is kept elsewhere and linked to stays there.
    const place = replace ? await realpath(file).catch(whereThereIsNone(file)) : file;
    const draft = `${place}.${randomUUID()}`;
    try {
      await writeDraft(draft, content, replace ? await statOf(place) : undefined);
      // A link is never made where something is, however late that came.
      await (replace ? rename(draft, place) : link(draft, place));
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

/** @param before what it takes the place of: whose that was, theirs it stays */
async function writeDraft(
  draft: string,
  content: string,
  before: Stats | undefined,
): Promise<void> {
  const handle = await open(draft, 'wx', before ? before.mode & 0o777 : MODE);
  try {
    await handle.writeFile(content);
    if (before && process.getuid?.() === 0) await handle.chown(before.uid, before.gid);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function statOf(file: string): Promise<Stats | undefined> {
  return stat(file).catch(whereThereIsNone(undefined));
}

/** What is true of a file that is not there. */
function whereThereIsNone<Value>(value: Value): (error: NodeJS.ErrnoException) => Value {
  return (error) => {
    if (error.code === 'ENOENT') return value;
    throw error;
  };
}

async function readOrUndefined(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8').catch(whereThereIsNone(undefined));
  } catch (error) {
    throw explain(error, file);
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
