/** Pinned host keys, by the file that OpenSSH is given. */
import { readIfThere } from '../state/files.ts';
import { knownHostsFile, type Host } from '../state/host-keys.ts';
import type { Paths } from '../state/paths.ts';

export { hostKeyAlias, knownHostsFile, pinHostKey } from '../state/host-keys.ts';

/** @returns the OpenSSH line that was pinned, undefined when none was */
export async function pinnedHostKey(
  paths: Pick<Paths, 'ssh'>,
  host: Host,
): Promise<string | undefined> {
  const [, type, key] = (await readIfThere(knownHostsFile(paths, host)))?.trim().split(' ') ?? [];
  return type === undefined || key === undefined ? undefined : `${type} ${key}`;
}
