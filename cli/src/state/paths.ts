/** Where `golem` keeps its files: XDG folders, or all in `GOLEM_HOME`. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Paths {
  /** Settings and contexts. */
  readonly config: string;
  /** The requestor's key. Whoever has it owns the VMs. */
  readonly key: string;
  /** Both keys, while VMs go from one to the other. */
  readonly rotation: string;
  /** Keys that owned VMs once. */
  readonly retired: string;
  /** One file for each VM. */
  readonly vms: string;
  /** SSH key pair and pinned host keys. */
  readonly ssh: string;
}

export interface PathsOptions {
  readonly home?: string;
  /** Of this context; files of the standard one are where those of all are. */
  readonly context?: string | undefined;
  /** The context has a key that no other one has. */
  readonly hasOwnKey?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const STANDARD_CONTEXT = 'default';

export function pathsFrom(
  env: Environment,
  { home = homedir(), context = STANDARD_CONTEXT, hasOwnKey = false }: PathsOptions = {},
): Paths {
  const all = env['GOLEM_HOME'];
  const folder = (variable: string, fallback: string) =>
    all ?? join(absolute(env[variable]) ?? join(home, fallback), 'golem');
  const data = folder('XDG_DATA_HOME', '.local/share');
  const keys = hasOwnKey ? join(data, 'contexts', context) : data;
  const vms = join(folder('XDG_STATE_HOME', '.local/state'), 'vms');
  return {
    config: join(folder('XDG_CONFIG_HOME', '.config'), 'config.json'),
    key: join(keys, 'key.json'),
    rotation: join(keys, 'rotation.json'),
    retired: join(keys, 'retired'),
    ssh: join(keys, 'ssh'),
    vms: context === STANDARD_CONTEXT ? vms : join(vms, context),
  };
}

/** The XDG specification has relative paths ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path : undefined;
}
