/** User data may hold secrets: HPKE (RFC 9180, base mode) seals it to the provider's X25519 key. */
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import * as z from 'zod';
import { base64UrlDecode, base64UrlEncode, utf8 } from './encoding.ts';
import { GolemError } from './errors.ts';
import { LIMITS } from './limits.ts';

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** Bytes of `limit` in base64url, with the 16 that AES-GCM adds. */
const sealedChars = Math.ceil(((LIMITS.vm.userDataBytes + 16) * 4) / 3) + 3;

export const sealedSchema = z.strictObject({
  /** The encapsulated X25519 key, base64url. */
  enc: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  ciphertext: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .max(sealedChars),
});
export type Sealed = z.infer<typeof sealedSchema>;

/** A private X25519 key as JWK, for a key file. */
export const sealingJwkSchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('X25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  d: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type SealingJwk = z.infer<typeof sealingJwkSchema>;

export async function generateSealingJwk(): Promise<SealingJwk> {
  const pair = (await crypto.subtle.generateKey('X25519', true, ['deriveBits'])) as CryptoKeyPair;
  return sealingJwkSchema.parse(await crypto.subtle.exportKey('jwk', pair.privateKey));
}

/** What the sealed text is bound to: it opens for this provider and this owner's VM name alone. */
export interface SealingPurpose {
  readonly provider: string;
  readonly requestor: string;
  readonly vmName: string;
}

const info = (purpose: SealingPurpose) =>
  utf8(`golem-user-data-v1\n${purpose.provider}\n${purpose.requestor}\n${purpose.vmName}`);

/**
 * @param sealingKey the raw key of a verified offer, base64url
 * @throws {GolemError} `invalid_request` when it is no key, or one that keeps nothing secret
 */
export async function seal(
  plaintext: string,
  sealingKey: string,
  purpose: SealingPurpose,
): Promise<Sealed> {
  const raw = base64UrlDecode(sealingKey);
  try {
    if (raw?.length !== 32) throw new TypeError('not 32 bytes of base64url');
    const recipientPublicKey = await suite.kem.deserializePublicKey(raw);
    const sealed = await suite.seal({ recipientPublicKey, info: info(purpose) }, utf8(plaintext));
    return {
      enc: base64UrlEncode(new Uint8Array(sealed.enc)),
      ciphertext: base64UrlEncode(new Uint8Array(sealed.ct)),
    };
  } catch (cause) {
    throw new GolemError('invalid_request', 'The user data cannot be sealed to this key.', {
      hint: 'The key is in the offer: take another provider, or create the VM without user data.',
      cause,
    });
  }
}

/** @throws {GolemError} `invalid_request` when it was sealed to another key or for another purpose. */
export async function unseal(
  sealed: Sealed,
  key: SealingJwk,
  purpose: SealingPurpose,
): Promise<string> {
  const enc = base64UrlDecode(sealed.enc);
  const ciphertext = base64UrlDecode(sealed.ciphertext);
  try {
    if (!enc || !ciphertext) throw new TypeError('not base64url');
    const recipientKey = await suite.kem.importKey(
      'jwk',
      { ...key, key_ops: ['deriveBits'] },
      false,
    );
    const plain = await suite.open({ recipientKey, enc, info: info(purpose) }, ciphertext);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plain);
  } catch (cause) {
    throw new GolemError('invalid_request', 'The user data cannot be opened.', {
      hint: "Seal it to the key in this provider's current offer.",
      cause,
    });
  }
}
