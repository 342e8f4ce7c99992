/** What the stand-in's client and daemon say to each other, over the socket in their folder. */
import { join } from 'node:path';

/** Versions whose ways the stand-in knows. */
export const VERSIONS = ['1.13.1', '1.14.1', '1.15.1', '1.16.3'] as const;
export type Version = (typeof VERSIONS)[number];

export function since(version: Version, first: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(first);
}

/** Environment of the client: the folder of its daemon, and its own version. */
export const FOLDER_VARIABLE = 'MULTIPASS_STANDIN_DIR';
export const VERSION_VARIABLE = 'MULTIPASS_STANDIN_VERSION';

/** One line of JSON each; then the daemon closes. */
export interface Request {
  readonly command: string;
  readonly names: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly stdin: string;
}
/** `data` is a reply of the daemon's, which the client prints. */
export type Reply = { readonly data: unknown } | { readonly failed: string };

/** Written to `faults.json` in the folder, and read anew every time. */
export interface Faults {
  /**
   * What the client does instead of its work: `junk` and `cut` spoil what it says, `mute` says nothing,
   * `idle` does nothing and ends with 0, `hang` never ends, `crash` ends by a signal, `flood` never ends saying things.
   */
  readonly client?: 'junk' | 'cut' | 'mute' | 'idle' | 'hang' | 'crash' | 'flood';
  /** The only commands that it does so in. */
  readonly commands?: readonly string[];
  /** The client's patience, in place of `--timeout`. */
  readonly timeoutSeconds?: number;
  /** How long an image is prepared: no command sees the instance meanwhile. */
  readonly prepareMillis?: number;
  /** A launch whose guest never answers: it fails, and the instance stays. */
  readonly silent?: boolean;
  /** A guest has no address yet. */
  readonly noAddress?: boolean;
  /** Every guest says that it has this one, and Multipass knows no better. */
  readonly address?: string;
  /** Words in place of a state. */
  readonly state?: string;
  /** Removals fail. */
  readonly stuck?: boolean;
}

export const socketOf = (dir: string) => join(dir, 'multipass_socket');
export const faultsOf = (dir: string) => join(dir, 'faults.json');
