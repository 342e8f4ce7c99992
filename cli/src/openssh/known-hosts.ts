/** Host keys, pinned from what providers signed: there is no trust on first use. */
import { join } from 'node:path';
import type { Vm } from '@vm-on-golem/shared/vm';
import { readIfThere, replaceFile } from '../state/files.ts';
import type { Paths } from '../state/paths.ts';

/** One file for each VM, so that two terminals at once spoil nothing. */
export function knownHostsFile({ ssh }: Pick<Paths, 'ssh'>, vmId: string): string {
  return join(ssh, 'known_hosts', vmId);
}

/** The host goes by the id of its VM, which no other VM ever has. */
export async function pinHostKey(
  paths: Pick<Paths, 'ssh'>,
  vm: Pick<Vm, 'id' | 'hostKey'>,
): Promise<void> {
  await replaceFile(knownHostsFile(paths, vm.id), `${vm.id} ${vm.hostKey}\n`);
}

/** @returns the OpenSSH line that was pinned, undefined when none was */
export async function pinnedHostKey(
  paths: Pick<Paths, 'ssh'>,
  vmId: string,
): Promise<string | undefined> {
  const [, type, key] = (await readIfThere(knownHostsFile(paths, vmId)))?.trim().split(' ') ?? [];
  return type === undefined || key === undefined ? undefined : `${type} ${key}`;
}
