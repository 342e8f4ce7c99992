/** Ed25519 identities over WebCrypto, the same in Node and in Workers. */
import * as z from 'zod';
import { base64UrlDecode, utf8 } from './encoding.ts';
import { GolemError } from './errors.ts';
import { identityId, type IdentityKind } from './ids.ts';

export interface Identity {
  readonly kind: IdentityKind;
  /** `gp_...` or `gr_...`. */
  readonly id: string;
  /** Raw 32 bytes, base64url: the `keyid` of signatures. */
  readonly publicKey: string;
  readonly privateKey: CryptoKey;
}

/** What a key file holds (RFC 8037 JWK). Never leaves the machine. */
export const privateJwkSchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  d: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type PrivateJwk = z.infer<typeof privateJwkSchema>;

export async function generatePrivateJwk(): Promise<PrivateJwk> {
  const pair = (await crypto.subtle.generateKey('Ed25519', true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair;
  return privateJwkSchema.parse(await crypto.subtle.exportKey('jwk', pair.privateKey));
}

/** @throws {GolemError} `invalid_request` when the two halves of the key do not belong together. */
export async function openIdentity(kind: IdentityKind, jwk: PrivateJwk): Promise<Identity> {
  const raw = base64UrlDecode(jwk.x);
  if (!raw) throw new GolemError('invalid_request', 'The key file is damaged.');
  let privateKey: CryptoKey;
  try {
    privateKey = await crypto.subtle.importKey('jwk', jwk, 'Ed25519', false, ['sign']);
  } catch (cause) {
    throw new GolemError('invalid_request', 'The key file is damaged.', { cause });
  }
  const probe = new Uint8Array(32);
  const signature = await crypto.subtle.sign('Ed25519', privateKey, probe);
  if (!(await crypto.subtle.verify('Ed25519', await importPublicKey(raw), signature, probe))) {
    throw new GolemError('invalid_request', 'The two halves of the key do not belong together.');
  }
  return { kind, id: await identityId(kind, raw), publicKey: jwk.x, privateKey };
}

export function importPublicKey(raw: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', raw, 'Ed25519', true, ['verify']);
}

/** A new identity that was never on a disk. */
export async function generateIdentity(kind: IdentityKind): Promise<Identity> {
  return openIdentity(kind, await generatePrivateJwk());
}

/**
 * The seed of an SSH key that whoever has the identity has as well, so that its VMs can be entered
 * with nothing else at hand. HKDF-SHA256 (RFC 5869): the SSH key says nothing about the identity's.
 * @returns 32 bytes: the private half of an Ed25519 key
 */
export async function deriveSshSeed({ d }: PrivateJwk): Promise<Uint8Array<ArrayBuffer>> {
  const secret = base64UrlDecode(d);
  if (!secret) throw new GolemError('invalid_request', 'The key file is damaged.');
  const key = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: SSH_INFO };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 256));
}

const SSH_INFO = utf8('golem-ssh-v1');
