/**
 * A receiver written from RFC 9180 alone, for base mode with X25519 and SHA-256: it opens what the
 * standard prints, and so what we seal.
 */
import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';
import { expect, test } from 'vitest';
import { seal, unseal, type SealingJwk } from './sealing.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const hmac = (key: Buffer, data: Buffer) => createHmac('sha256', key).update(data).digest();
const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);

/** Section 7: the numbers of the key encapsulation, of the key derivation and of each cipher. */
const KEM = 0x0020;
const KDF = 0x0001;
const AEAD = {
  'aes-128-gcm': { id: 0x0001, keyBytes: 16 },
  'aes-256-gcm': { id: 0x0002, keyBytes: 32 },
} as const;

/** Section 4: labelled extraction and expansion; nothing here is longer than one hash. */
function labelled(suite: Buffer) {
  const label = (name: string) => Buffer.concat([Buffer.from('HPKE-v1'), suite, Buffer.from(name)]);
  return {
    extract: (salt: Buffer, name: string, secret: Buffer) =>
      hmac(salt, Buffer.concat([label(name), secret])),
    expand: (key: Buffer, name: string, info: Buffer, length: number) =>
      hmac(key, Buffer.concat([u16(length), label(name), info, Buffer.from([1])])).subarray(
        0,
        length,
      ),
  };
}

interface Message {
  readonly key: SealingJwk;
  readonly enc: Buffer;
  readonly info: Buffer;
  readonly aad?: Buffer;
  readonly ciphertext: Buffer;
}

function open(
  cipher: keyof typeof AEAD,
  { key, enc, info, aad = Buffer.alloc(0), ciphertext }: Message,
): string {
  const none = Buffer.alloc(0);
  const dh = diffieHellman({
    privateKey: createPrivateKey({ key, format: 'jwk' }),
    publicKey: createPublicKey({
      key: { kty: 'OKP', crv: 'X25519', x: enc.toString('base64url') },
      format: 'jwk',
    }),
  });
  // Section 4.1
  const kem = labelled(Buffer.concat([Buffer.from('KEM'), u16(KEM)]));
  const kemContext = Buffer.concat([enc, Buffer.from(key.x, 'base64url')]);
  const shared = kem.expand(kem.extract(none, 'eae_prk', dh), 'shared_secret', kemContext, 32);
  // Section 5.1
  const { id, keyBytes } = AEAD[cipher];
  const hpke = labelled(Buffer.concat([Buffer.from('HPKE'), u16(KEM), u16(KDF), u16(id)]));
  const context = Buffer.concat([
    Buffer.from([0]),
    hpke.extract(none, 'psk_id_hash', none),
    hpke.extract(none, 'info_hash', info),
  ]);
  const secret = hpke.extract(shared, 'secret', none);
  const decipher = createDecipheriv(
    cipher,
    hpke.expand(secret, 'key', context, keyBytes),
    hpke.expand(secret, 'base_nonce', context, 12),
  );
  decipher.setAAD(aad);
  decipher.setAuthTag(ciphertext.subarray(-16));
  return Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]).toString();
}

/** Appendix A.1.1: the receiver's key. */
const KEY: SealingJwk = {
  kty: 'OKP',
  crv: 'X25519',
  d: hex('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8').toString('base64url'),
  x: hex('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d').toString('base64url'),
};

test('A.1.1.1: the receiver opens what the standard prints', () => {
  const printed = {
    key: KEY,
    enc: hex('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431'),
    info: hex('4f6465206f6e2061204772656369616e2055726e'),
    aad: hex('436f756e742d30'),
    ciphertext: hex(
      'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
    ),
  };
  expect(open('aes-128-gcm', printed)).toBe('Beauty is truth, truth beauty');
});

test('it opens what we seal, bound to whom and what it is for', async () => {
  const purpose = { provider: 'gp_one', requestor: 'gr_alice', vmName: 'web' };
  const { enc, ciphertext } = await seal('#cloud-config ü', KEY.x, purpose);
  const message = {
    key: KEY,
    enc: Buffer.from(enc, 'base64url'),
    info: Buffer.from('golem-user-data-v1\ngp_one\ngr_alice\nweb'),
    ciphertext: Buffer.from(ciphertext, 'base64url'),
  };
  expect(open('aes-256-gcm', message)).toBe('#cloud-config ü');
  expect(() => open('aes-256-gcm', { ...message, info: Buffer.from('other') })).toThrow();
});

test('what was sealed once opens for ever', async () => {
  const sealed = {
    enc: 'tZiBoFIpHFR6CPlsYzFH94czkTvwZ38qP1RPAWNF_x8',
    ciphertext: 'iT6nPhhouz1ysgricLVQXZ0p-4svuzX-tzxB_l6e6T1ozSf2mQd3oHha7Ul2Gw',
  };
  const purpose = { provider: 'gp_one', requestor: 'gr_alice', vmName: 'web' };
  expect(await unseal(sealed, KEY, purpose)).toBe('#cloud-config\npackages: [git]\n');
});
