/**
 * Ed25519 keys in OpenSSH's own formats (PROTOCOL.key of openssh-portable, RFC 8709). By hand,
 * because ssh2 1.17 drops leading zeros and so writes one key in some 300 that nobody can read.
 */
import { base64UrlDecode, utf8 } from './encoding.ts';
import { secureRandom, type RandomBytes } from './ids.ts';
import { generatePrivateJwk, type PrivateJwk } from './keys.ts';

export interface OpenSshKeyPair {
  /** PEM text of an unencrypted private key file. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA...`, without a comment. */
  readonly publicKey: string;
}

const KEY_TYPE = 'ssh-ed25519';
const MAGIC = utf8('openssh-key-v1\0');
const LINE_CHARS = 70;
/** Of the unencrypted private part: it is padded with 1, 2, 3... */
const BLOCK_BYTES = 8;

export async function generateOpenSshKeyPair(
  random: RandomBytes = secureRandom,
): Promise<OpenSshKeyPair> {
  return encodeOpenSshKeyPair(await generatePrivateJwk(), random);
}

export function encodeOpenSshKeyPair(
  { x, d }: Pick<PrivateJwk, 'x' | 'd'>,
  random: RandomBytes,
): OpenSshKeyPair {
  const publicBytes = base64UrlDecode(x);
  const seed = base64UrlDecode(d);
  if (publicBytes?.length !== 32 || seed?.length !== 32) throw new TypeError('not an Ed25519 key');
  const publicBlob = join(text(KEY_TYPE), string(publicBytes));
  // Twice the same number: what tells a right passphrase from a wrong one, had it been encrypted.
  const check = random(4);
  const secret = join(check, check, publicBlob, string(join(seed, publicBytes)), text(''));
  const padding = Uint8Array.from(
    { length: (BLOCK_BYTES - (secret.length % BLOCK_BYTES)) % BLOCK_BYTES },
    (_, at) => at + 1,
  );
  const none = text('none');
  const file = join(
    MAGIC,
    none,
    none,
    text(''),
    number(1),
    string(publicBlob),
    string(join(secret, padding)),
  );
  const lines = base64(file).match(new RegExp(`.{1,${LINE_CHARS}}`, 'g')) ?? [];
  return {
    privateKey: [
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      ...lines,
      '-----END OPENSSH PRIVATE KEY-----',
      '',
    ].join('\n'),
    publicKey: `${KEY_TYPE} ${base64(publicBlob)}`,
  };
}

/** @returns the public half of an unencrypted private key file; undefined when it is none */
export function opensshPublicKey(privateKey: string): string | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----\s([\s\S]+)-----END/.exec(privateKey)?.[1];
  if (body === undefined || !/^[A-Za-z0-9+/=\s]+$/.test(body)) return undefined;
  const file = Uint8Array.from(atob(body.replaceAll(/\s/g, '')), (char) => char.charCodeAt(0));
  // Cipher, KDF and its options: all none. Then one key, which is Ed25519 and of a known length.
  const blobAt = MAGIC.length + 8 + 8 + 4 + 4 + 4;
  const blob = file.subarray(blobAt, blobAt + 4 + KEY_TYPE.length + 4 + 32);
  const head = join(text(KEY_TYPE), number(32));
  if (file.length < blobAt + blob.length || !head.every((byte, at) => blob[at] === byte))
    return undefined;
  return `${KEY_TYPE} ${base64(blob)}`;
}

/** RFC 4251 `string`: its length, then its bytes. */
function string(bytes: Uint8Array): Uint8Array {
  return join(number(bytes.length), bytes);
}

function text(value: string): Uint8Array {
  return string(utf8(value));
}

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
