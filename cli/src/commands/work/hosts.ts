/** All VMs that one can go into, as OpenSSH has to know them. */
import { existsSync } from 'node:fs';
import type { SshHost } from '../../openssh/config-file.ts';
import { sshOptions } from '../../openssh/options.ts';
import { ownConfigFile, writeHosts } from '../../openssh/installed.ts';
import type { LocalContext } from '../command.ts';
import type { ReadyEntry } from '../read/reference.ts';
import { targetOf } from './target.ts';

export async function hostOf(context: LocalContext, entry: ReadyEntry): Promise<SshHost> {
  const options = sshOptions(await targetOf(context, entry));
  return { host: entry.name, options: Object.fromEntries(options) };
}

export async function allHosts(context: LocalContext): Promise<SshHost[]> {
  const hosts: SshHost[] = [];
  for (const entry of await context.book.all()) {
    const { vm, pending } = entry;
    if (vm && !pending) hosts.push(await hostOf(context, { ...entry, vm }));
  }
  return hosts;
}

/** After VMs came or went: does nothing on a machine whose OpenSSH was told nothing. */
export async function refreshHosts(context: LocalContext): Promise<void> {
  const file = ownConfigFile(context.paths, context.home.context.value);
  if (!existsSync(file)) return;
  try {
    await writeHosts(file, await allHosts(context));
  } catch (error) {
    // What was asked for is done: this is no reason to call it a failure.
    const why = error instanceof Error ? error.message : String(error);
    context.note(`golem: ${file} is out of date: ${why}`);
  }
}
