/** Where `golem` keeps its files: XDG folders, or all in `GOLEM_HOME`. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Paths {
  /** The requestor's key. Whoever has it owns the VMs. */
  readonly key: string;
  /** One file for each VM. */
  readonly vms: string;
  /** SSH key pair and pinned host keys. */
  readonly ssh: string;
}

export function pathsFrom(
  env: Readonly<Record<string, string | undefined>>,
  home = homedir(),
): Paths {
  const all = env['GOLEM_HOME'];
  const folder = (variable: string, fallback: string) =>
    all ?? join(absolute(env[variable]) ?? join(home, fallback), 'golem');
  const data = folder('XDG_DATA_HOME', '.local/share');
  const state = folder('XDG_STATE_HOME', '.local/state');
  return { key: join(data, 'key.json'), ssh: join(data, 'ssh'), vms: join(state, 'vms') };
}

/** The XDG specification has relative paths ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path : undefined;
}
