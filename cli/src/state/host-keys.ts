/** Host keys, pinned from what providers signed: there is no trust on first use, and no second pin. */
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';
import { createFile } from './files.ts';
import type { Paths } from './paths.ts';

/** A VM is its provider's: whoever knows the id of another one's may list it as theirs. */
export interface Host {
  /** `gp_...`. */
  readonly provider: string;
  readonly vm: Pick<Vm, 'id'>;
}

/** By what OpenSSH knows the host, whatever it is called here. */
export function hostKeyAlias({ provider, vm }: Host): string {
  return `${vm.id}.${provider}`;
}

/** One file for each VM, so that two terminals at once spoil nothing. */
export function knownHostsFile({ ssh }: Pick<Paths, 'ssh'>, host: Host): string {
  return join(ssh, 'known_hosts', hostKeyAlias(host));
}

/**
 * @throws {GolemError} `host_key_changed` when another key is pinned: that one stays
 */
export async function pinHostKey(
  paths: Pick<Paths, 'ssh'>,
  host: Host & { readonly vm: Pick<Vm, 'id' | 'name' | 'hostKey'> },
): Promise<void> {
  const { vm } = host;
  const file = knownHostsFile(paths, host);
  const pinned = await createFile(file, `${hostKeyAlias(host)} ${vm.hostKey}\n`);
  const [, ...words] = pinned.trim().split(' ');
  if (sameKey(words.join(' '), vm.hostKey)) return;
  throw changed(vm.name, file);
}

/**
 * @param file what says how it was before
 * @throws {GolemError} `host_key_changed` when a provider says another key than it did before
 */
export function checkHostKey(
  file: string,
  before: Pick<Vm, 'name' | 'hostKey'>,
  now: Pick<Vm, 'hostKey'>,
): void {
  if (!sameKey(before.hostKey, now.hostKey)) throw changed(before.name, file);
}

/** A key is its type and its bytes; the comment after them is anybody's. */
function sameKey(one: string, other: string): boolean {
  const key = (line: string) => line.split(' ', 2).join(' ');
  return key(one) === key(other);
}

function changed(name: string, file: string): GolemError {
  return new GolemError(
    'host_key_changed',
    `The provider says another host key for '${name}' than before: it may be another machine.`,
    {
      hint: `Do not go in. The key that is known stays. If you know why it changed, remove ${file}.`,
    },
  );
}
