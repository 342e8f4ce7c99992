/**
 * The NoCloud documents of a guest (cloud-init): who may log in, and the host key by which the
 * guest proves who it is. Written as block lists, which the small guest image reads as well.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { OpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { utf8Length } from '@vm-on-golem/shared/encoding';
import { Document, parse, type ParseOptions, type DocumentOptions, type SchemaOptions } from 'yaml';
import type { GuestSeed } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';

export interface SeedOptions {
  /** Changes whenever cloud-init is to take the guest for a new one. */
  readonly instanceId: string;
  readonly hostname: string;
  /** Lines of authorized_keys. */
  readonly sshKeys: readonly string[];
  readonly hostKey: OpenSshKeyPair;
  /** The owner's: see `readUserData`. */
  readonly userData?: UserData | undefined;
}

/** What an owner may hand in: see docs/decisions/0010-user-data.md. */
export type UserData =
  | { readonly kind: 'cloud-config'; readonly config: Readonly<Record<string, unknown>> }
  | { readonly kind: 'script'; readonly text: string };

const YAML_INPUT: ParseOptions & DocumentOptions & SchemaOptions = {
  // cloud-init reads YAML 1.1, where `yes` is true.
  version: '1.1',
  uniqueKeys: true,
  strict: true,
};

/**
 * @throws {GolemError} `invalid_request` unless the text is a script (`#!`) or one document of
 * cloud-config that is a map.
 */
export function readUserData(text: string): UserData {
  if (text.startsWith('#!')) return { kind: 'script', text };
  if (!/^#cloud-config\s*(?:\r?\n|$)/.test(text)) {
    throw new GolemError('invalid_request', 'The user data is of no kind that is supported.', {
      hint: 'It starts with #cloud-config, or with #! if it is a script.',
    });
  }
  let config: unknown;
  try {
    // Aliases are bounded, so that a few lines cannot unfold to gigabytes.
    config = parse(text, { ...YAML_INPUT, maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : '';
    throw new GolemError('invalid_request', `The user data is not YAML: ${why}`, { cause });
  }
  if (config !== null && !isMap(config)) {
    throw new GolemError('invalid_request', 'The cloud-config must be a map of settings.');
  }
  return { kind: 'cloud-config', config: config ?? {} };
}

/** @throws {GolemError} `payload_too_large` when the owner's settings unfold to too much. */
export function renderSeed(options: SeedOptions): GuestSeed {
  const { instanceId, hostname, userData } = options;
  const config = withUserData(ours(options), userData);
  const text = `#cloud-config\n${block(config)}`;
  if (utf8Length(text) > AGENT_LIMITS.vms.userDataBytes) {
    throw new GolemError('payload_too_large', 'The user data unfolds to too much.');
  }
  return {
    userData: text,
    metaData: block({ 'instance-id': instanceId, 'local-hostname': hostname }),
  };
}

type Config = Record<string, unknown>;

/** What an owner may change: ways to reach the guest that do not weaken who it is. */
const DEFAULTS: Readonly<Config> = {
  ssh_pwauth: false,
  // Without it sudo cannot resolve the guest's own name.
  manage_etc_hosts: true,
  // Minimal images have no locales, and cloud-init would end with an error.
  locale: false,
};

function ours({ sshKeys, hostKey }: SeedOptions): Config {
  return {
    ssh_authorized_keys: [...sshKeys],
    // Host keys that came with the image are shared by all of its guests.
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey },
  };
}

function withUserData(ours: Config, userData: UserData | undefined): Config {
  if (userData === undefined) return { ...ours, ...DEFAULTS };
  if (userData.kind === 'script') return { ...ours, ...DEFAULTS, ...runningScript(userData.text) };
  const theirs = userData.config;
  return {
    ...ours,
    ...DEFAULTS,
    ...theirs,
    ...ours,
    ssh_authorized_keys: union(ours['ssh_authorized_keys'], theirs['ssh_authorized_keys']),
    ...(Array.isArray(theirs['users']) ? { users: withDefaultUser(theirs['users']) } : {}),
  };
}

/** Where cloud-init puts an owner's script, to be run once at the end of the first boot. */
const SCRIPT = '/var/lib/golem/user-data';

function runningScript(text: string): Config {
  return {
    write_files: [{ path: SCRIPT, permissions: '0700', content: text }],
    runcmd: [[SCRIPT]],
  };
}

function union(first: unknown, second: unknown): unknown[] {
  const list = (value: unknown) => (Array.isArray(value) ? (value as unknown[]) : []);
  return [...new Set([...list(first), ...list(second)])];
}

/** Without the image's own account the keys of the owner would open nothing. */
function withDefaultUser(users: readonly unknown[]): unknown[] {
  return users.includes('default') ? [...users] : ['default', ...users];
}

function block(value: Config): string {
  return new Document(value, { version: '1.1', aliasDuplicateObjects: false }).toString({
    lineWidth: 0,
    collectionStyle: 'block',
    blockQuote: 'literal',
  });
}

function isMap(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
