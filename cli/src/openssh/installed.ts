/** OpenSSH on this machine, told of the VMs: files of our own, and a line in the one of its user. */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { readIfThereSync, replaceFileSync } from '../state/files.ts';
import { withLock } from '../state/lock.ts';
import { STANDARD_CONTEXT, type Paths } from '../state/paths.ts';
import { quoted } from './options.ts';
import {
  configText,
  hasInclude,
  namedApart,
  namesIn,
  withInclude,
  withoutInclude,
  type SshHost,
} from './config-file.ts';
import { asBytes, changeUserFile, readUserFile } from './user-file.ts';

/** What OpenSSH reads. Files that are being written, and those of killed programs, end otherwise. */
const ENDING = '.conf';

function folderOf({ config }: Pick<Paths, 'config'>): string {
  return join(dirname(config), 'openssh');
}

/** Files of all contexts are in one folder, and one line includes them all. */
export function ownConfigFile(paths: Pick<Paths, 'config'>, context = STANDARD_CONTEXT): string {
  return join(folderOf(paths), `${context}${ENDING}`);
}

function included(paths: Pick<Paths, 'config'>): string {
  return asBytes(join(folderOf(paths), `*${ENDING}`));
}

export function userConfigFile(home = homedir()): string {
  return join(home, '.ssh', 'config');
}

export async function isIncluded(paths: Pick<Paths, 'config'>, user: string): Promise<boolean> {
  return hasInclude((await readUserFile(user)) ?? '', included(paths));
}

/** @param user file of this machine's user, which may be a link to somewhere else */
export async function include(paths: Pick<Paths, 'config'>, user: string): Promise<void> {
  await changeUserFile(user, copyOf(paths), (text) => withInclude(text, included(paths)));
}

export async function exclude(paths: Pick<Paths, 'config'>, user: string): Promise<void> {
  await changeUserFile(user, copyOf(paths), (text) => withoutInclude(text, included(paths)));
}

/** The user's file as it was before golem ever changed it. */
function copyOf(paths: Pick<Paths, 'config'>): string {
  return join(folderOf(paths), 'config.before');
}

/** @returns the hosts by the names that they have there: one that another context has is no other VM's */
export async function writeHosts(file: string, hosts: readonly SshHost[]): Promise<SshHost[]> {
  const name = basename(file, ENDING);
  return withLock(join(dirname(file), 'lock'), () => {
    const apart = namedApart(
      hosts,
      { name, isStandard: name === STANDARD_CONTEXT },
      namesOfOthers(file),
    );
    const text = configText(apart);
    if (readIfThereSync(file) !== text) replaceFileSync(file, text);
    return apart;
  });
}

function namesOfOthers(file: string): Set<string> {
  const folder = dirname(file);
  const others = readdirSync(folder).filter(
    (name) => name.endsWith(ENDING) && name !== basename(file),
  );
  return new Set(others.flatMap((name) => namesIn(readIfThereSync(join(folder, name)) ?? '')));
}

/** Has hosts that one key opens name another file of it; all else stays. */
export async function replaceIdentity(file: string, from: string, to: string): Promise<void> {
  const line = (path: string) => `  IdentityFile ${quoted(path)}`;
  await withLock(join(dirname(file), 'lock'), () => {
    const lines = (readIfThereSync(file) ?? '').split('\n');
    const text = lines.map((one) => (one === line(from) ? line(to) : one)).join('\n');
    replaceFileSync(file, text);
  });
}

export async function removeHosts(file: string): Promise<void> {
  await rm(file, { force: true });
}
