/** Pinned host keys, by the file that OpenSSH is given. */
import { readIfThere } from '../state/files.ts';
import { knownHostsFile } from '../state/host-keys.ts';
import type { Paths } from '../state/paths.ts';

export { knownHostsFile, pinHostKey } from '../state/host-keys.ts';

/** @returns the OpenSSH line that was pinned, undefined when none was */
export async function pinnedHostKey(
  paths: Pick<Paths, 'ssh'>,
  vmId: string,
): Promise<string | undefined> {
  const [, type, key] = (await readIfThere(knownHostsFile(paths, vmId)))?.trim().split(' ') ?? [];
  return type === undefined || key === undefined ? undefined : `${type} ${key}`;
}
