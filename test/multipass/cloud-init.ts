/**
 * What becomes of user data between `--cloud-init` and the guest. Client and daemon each read it with
 * yaml-cpp and write it anew; the daemon adds its own; cloud-init reads the rest as YAML 1.1. What the
 * small guest would not do by itself is done here: it reads block lists, and knows root alone.
 */
import { Document, isMap, isSeq, parse, parseDocument, Scalar, visit } from 'yaml';
import type { OpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import type { GuestSeed } from '../../agent/src/drivers/driver.ts';
import { since, type Version } from './wire.ts';

/** Thrown with yaml-cpp's kind of words. */
export class BadCloudInit extends Error {}

/** What Multipass hands to cloud-init: a comment, a line break or a pair of quotes is not kept. */
export function userDataOf(text: string, ownKey: string, version: Version): string {
  const document = rewritten(print(rewritten(text), version));
  if (document.contents !== null && !isMap(document.contents)) {
    throw new BadCloudInit('operator[] call on a scalar (key: "users")');
  }
  const users = document.get('users');
  if (isSeq(users)) users.add(plain('default'));
  const keys = document.get('ssh_authorized_keys');
  if (isSeq(keys)) keys.add(plain(ownKey));
  return `#cloud-config\n${print(document, version)}`;
}

/**
 * The seed of the small guest, as cloud-init would have acted on this user data.
 * @param made the host key that cloud-init makes up where the user data brings none
 */
export function smallSeed(userData: string, name: string, made: OpenSshKeyPair): GuestSeed {
  const config = parse(userData, { version: '1.1' }) as Readonly<Record<string, unknown>>;
  const strings = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);
  const seed = {
    ssh_authorized_keys: strings(config['ssh_authorized_keys']),
    ssh_keys: config['ssh_keys'] ?? {
      ed25519_private: made.privateKey,
      ed25519_public: made.publicKey,
    },
  };
  // User data goes before the meta-data, where Multipass writes the instance's name.
  const hostname = typeof config['hostname'] === 'string' ? config['hostname'] : name;
  return {
    userData: `#cloud-config\n${block(seed)}`,
    metaData: block({ 'instance-id': name, 'local-hostname': hostname }),
  };
}

/** The host key that the user data brings. */
export function hostKeyOf(userData: string): string | undefined {
  const config = parse(userData, { version: '1.1' }) as {
    ssh_keys?: { ed25519_public?: unknown };
  } | null;
  const key = config?.ssh_keys?.ed25519_public;
  return typeof key === 'string' ? key : undefined;
}

const NULL = /^(?:~|null|Null|NULL)?$/;

/** Every scalar is text to yaml-cpp: it keeps tags, and no quotes. */
function rewritten(text: string): Document {
  const document: Document = parseDocument(text, { schema: 'failsafe', version: '1.2' });
  const [error] = document.errors;
  if (error) throw new BadCloudInit(`yaml-cpp: error: ${error.code}`);
  return document;
}

function print(document: Document, version: Version): string {
  document.commentBefore = null;
  visit(document, {
    Node: (_key, node) => {
      node.comment = null;
      node.commentBefore = null;
    },
  });
  visit(document, {
    Scalar: (_key, node) => {
      const value = String(node.value);
      if (node.type === Scalar.PLAIN && NULL.test(value) && node.tag === undefined) return;
      const inQuotes =
        NULL.test(value) ||
        value.includes('\n') ||
        value.includes(':') ||
        (since(version, '1.16.3') && /^0\d+$/.test(value));
      node.type = inQuotes ? Scalar.QUOTE_DOUBLE : Scalar.PLAIN;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function plain(value: string): Scalar<string> {
  return new Scalar(value);
}

function block(value: unknown): string {
  return new Document(value, { version: '1.1' }).toString({
    ...{ lineWidth: 0, collectionStyle: 'block', blockQuote: 'literal' },
  });
}
