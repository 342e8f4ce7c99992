import { describe, expect, test } from 'vitest';
import { base64UrlDecode, utf8 } from './encoding.ts';
import { generateIdentity, generatePrivateJwk, importPublicKey, openIdentity } from './keys.ts';

describe('an identity', () => {
  test('is named after its key, and after what it is used for', async () => {
    const jwk = await generatePrivateJwk();
    const provider = await openIdentity('provider', jwk);
    const requestor = await openIdentity('requestor', jwk);
    expect(provider.id).toMatch(/^gp_[a-z2-7]{26}$/);
    expect(requestor.id).toMatch(/^gr_[a-z2-7]{26}$/);
    expect(provider.publicKey).toBe(jwk.x);
    expect(await openIdentity('provider', jwk)).toMatchObject({ id: provider.id });
  });

  test('signs what its public key verifies', async () => {
    const { privateKey, publicKey } = await generateIdentity('provider');
    const signature = await crypto.subtle.sign('Ed25519', privateKey, utf8('hello'));
    const key = await importPublicKey(base64UrlDecode(publicKey) ?? new Uint8Array());
    expect(await crypto.subtle.verify('Ed25519', key, signature, utf8('hello'))).toBe(true);
    expect(await crypto.subtle.verify('Ed25519', key, signature, utf8('hallo'))).toBe(false);
  });

  test('keeps its private key to itself', async () => {
    const { privateKey } = await generateIdentity('provider');
    await expect(crypto.subtle.exportKey('jwk', privateKey)).rejects.toThrow();
  });
});

describe('a key file', () => {
  const damaged = { name: 'GolemError', code: 'invalid_request' };

  test('with the halves of two keys is refused', async () => {
    const [one, other] = [await generatePrivateJwk(), await generatePrivateJwk()];
    await expect(openIdentity('provider', { ...one, x: other.x })).rejects.toMatchObject(damaged);
  });

  test('with half a key is refused', async () => {
    const jwk = await generatePrivateJwk();
    const { d } = jwk;
    await expect(openIdentity('provider', { ...jwk, d: d.slice(0, 20) })).rejects.toMatchObject(
      damaged,
    );
    await expect(openIdentity('provider', { ...jwk, x: '!' })).rejects.toMatchObject(damaged);
  });
});
