import { describe, expect, test } from 'vitest';
import { base64UrlDecode, base64UrlEncode, utf8 } from './encoding.ts';
import {
  deriveSshSeed,
  generateIdentity,
  generatePrivateJwk,
  importPublicKey,
  openIdentity,
  privateJwkSchema,
} from './keys.ts';
import { generateSealingJwk } from './sealing.ts';

/** RFC 9421, B.1.4: a key that everybody has. */
const PUBLISHED = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU',
  x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs',
} as const;
const rawOf = (text: string) => base64UrlDecode(text) ?? new Uint8Array();

describe('an identity', () => {
  test('is named after its key, and after what it is used for', async () => {
    expect(await openIdentity('provider', PUBLISHED)).toMatchObject({
      kind: 'provider',
      id: 'gp_wfwc2g7k2etcmolwj7nq5zgto5',
      publicKey: PUBLISHED.x,
    });
    expect(await openIdentity('requestor', PUBLISHED)).toMatchObject({
      kind: 'requestor',
      id: 'gr_wfwc2g7k2etcmolwj7nq5zgto5',
      publicKey: PUBLISHED.x,
    });
  });

  test('is another one each time that one is made', async () => {
    const [one, other] = [await generateIdentity('provider'), await generateIdentity('provider')];
    expect(one.id).toMatch(/^gp_[a-z2-7]{26}$/);
    expect(one.id).not.toBe(other.id);
  });

  test('is the same one after its key was in a file', async () => {
    const jwk = await generatePrivateJwk();
    const read = privateJwkSchema.parse(JSON.parse(JSON.stringify(jwk)));
    const { id } = await openIdentity('provider', jwk);
    expect(await openIdentity('provider', read)).toMatchObject({ id });
  });

  test('signs what its public key verifies', async () => {
    const { privateKey, publicKey } = await generateIdentity('provider');
    const signature = await crypto.subtle.sign('Ed25519', privateKey, utf8('hello'));
    const key = await importPublicKey(rawOf(publicKey));
    expect(await crypto.subtle.verify('Ed25519', key, signature, utf8('hello'))).toBe(true);
    expect(await crypto.subtle.verify('Ed25519', key, signature, utf8('hallo'))).toBe(false);
  });

  test('keeps its private key to itself', async () => {
    const { privateKey } = await generateIdentity('provider');
    await expect(crypto.subtle.exportKey('jwk', privateKey)).rejects.toThrow('not extractable');
  });
});

describe('a public key', () => {
  test('leaves as it came', async () => {
    const key = await importPublicKey(rawOf(PUBLISHED.x));
    const raw = new Uint8Array(await crypto.subtle.exportKey('raw', key));
    expect(base64UrlEncode(raw)).toBe(PUBLISHED.x);
  });

  test.each([0, 1, 31, 33, 64])('is not %d bytes long', async (length) => {
    await expect(importPublicKey(new Uint8Array(length))).rejects.toThrow();
  });
});

describe('a key file', () => {
  const damaged = { name: 'GolemError', code: 'invalid_request' };

  test('with the halves of two keys is refused', async () => {
    const { x } = await generatePrivateJwk();
    await expect(openIdentity('provider', { ...PUBLISHED, x })).rejects.toMatchObject(damaged);
  });

  test.each([
    ['half a private key', { d: PUBLISHED.d.slice(0, 20) }],
    ['no private key', { d: '' }],
    ['half a public key', { x: PUBLISHED.x.slice(0, 20) }],
    ['no public key', { x: '' }],
    ['a public key that is a byte too long', { x: `${PUBLISHED.x.slice(0, 42)}sA` }],
    ['a public key in ordinary base64', { x: PUBLISHED.x.replaceAll('_', '/') }],
    ['bits behind the public key', { x: PUBLISHED.x.replace(/s$/, 't') }],
  ])('with %s is refused', async (_, change) => {
    await expect(openIdentity('provider', { ...PUBLISHED, ...change })).rejects.toMatchObject(
      damaged,
    );
  });

  test('is read when it holds an Ed25519 key, and nothing but the key is taken from it', () => {
    expect(privateJwkSchema.parse({ ...PUBLISHED, kid: 'me', key_ops: ['sign'] })).toEqual(
      PUBLISHED,
    );
  });

  test('is not read when it holds a key for sealing', async () => {
    expect(privateJwkSchema.safeParse(await generateSealingJwk()).success).toBe(false);
  });

  test.each([
    { kty: 'EC' },
    { crv: 'P-256' },
    { d: undefined },
    { d: PUBLISHED.d.slice(1) },
    { d: `${PUBLISHED.d}A` },
    { d: `${PUBLISHED.d}\n` },
    { x: PUBLISHED.x.slice(1) },
    { x: `${PUBLISHED.x}=` },
  ])('is not read with %j', (change) => {
    expect(privateJwkSchema.safeParse({ ...PUBLISHED, ...change }).success).toBe(false);
  });
});

describe('the seed of an SSH key', () => {
  test('is the same for the same identity, whenever it is asked for', async () => {
    // HKDF-SHA256 of the key `d` without salt, by another implementation.
    const { hkdfSync } = await import('node:crypto');
    const wanted = hkdfSync('sha256', rawOf(PUBLISHED.d), '', 'golem-ssh-v1', 32);
    expect(await deriveSshSeed(PUBLISHED)).toEqual(new Uint8Array(wanted));
  });

  test('is neither the identity nor that of another one', async () => {
    const seed = base64UrlEncode(await deriveSshSeed(PUBLISHED));
    expect(seed).not.toBe(PUBLISHED.d);
    expect(seed).not.toBe(base64UrlEncode(await deriveSshSeed(await generatePrivateJwk())));
  });
});
