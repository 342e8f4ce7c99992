/** OpenSSH on this machine, told of the VMs: a file of our own, and a line in the one of its user. */
import { realpath, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { readIfThere, replaceFileSync } from '../state/files.ts';
import type { Paths } from '../state/paths.ts';
import {
  configText,
  hasInclude,
  withInclude,
  withoutInclude,
  type SshHost,
} from './config-file.ts';

/** Files of all contexts are beside each other, and one line includes them all. */
export function ownConfigFile({ config }: Pick<Paths, 'config'>, context?: string): string {
  const name = context === undefined || context === 'default' ? '' : `.${context}`;
  return join(dirname(config), `ssh_config${name}`);
}

function included(paths: Pick<Paths, 'config'>): string {
  return `${ownConfigFile(paths)}*`;
}

export function userConfigFile(home = homedir()): string {
  return join(home, '.ssh', 'config');
}

export async function isIncluded(paths: Pick<Paths, 'config'>, user: string): Promise<boolean> {
  return hasInclude((await readIfThere(user)) ?? '', included(paths));
}

/** @param user file of this machine's user, which may be a link to somewhere else */
export async function include(paths: Pick<Paths, 'config'>, user: string): Promise<void> {
  const text = (await readIfThere(user)) ?? '';
  replaceFileSync(await behindLinks(user), withInclude(text, included(paths)));
}

export async function exclude(paths: Pick<Paths, 'config'>, user: string): Promise<void> {
  const text = await readIfThere(user);
  if (text === undefined || !hasInclude(text, included(paths))) return;
  replaceFileSync(await behindLinks(user), withoutInclude(text, included(paths)));
}

export async function writeHosts(file: string, hosts: readonly SshHost[]): Promise<void> {
  const text = configText(hosts);
  if ((await readIfThere(file)) !== text) replaceFileSync(file, text);
}

export async function removeHosts(file: string): Promise<void> {
  await rm(file, { force: true });
}

async function behindLinks(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return file;
    throw error;
  }
}
