import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from './limits.ts';
import {
  generateSealingJwk,
  seal,
  sealedSchema,
  sealingJwkSchema,
  unseal,
  type Sealed,
  type SealingJwk,
} from './sealing.ts';

const PURPOSE = { provider: 'gp_one', requestor: 'gr_alice', vmName: 'web' };
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const refused = { name: 'GolemError', code: 'invalid_request' };

let key: SealingJwk;
beforeAll(async () => {
  key = await generateSealingJwk();
});

test('what is sealed opens as it was, whatever it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 200 }), async (text) => {
      const sealed = await seal(text, key.x, PURPOSE);
      expect(sealedSchema.parse(sealed)).toEqual(sealed);
      expect(await unseal(sealed, key, PURPOSE)).toBe(text);
    }),
    { numRuns: 30, examples: [[''], ['\ufeffwith a byte order mark'], ['\0\r\n']] },
  );
});

test('the largest user data fits into its schema, and hardly more does', async () => {
  const text = 'x'.repeat(LIMITS.vm.userDataBytes);
  expect(sealedSchema.safeParse(await seal(text, key.x, PURPOSE)).success).toBe(true);
  const larger = await seal(`${text}${'x'.repeat(8)}`, key.x, PURPOSE);
  expect(sealedSchema.safeParse(larger).success).toBe(false);
});

describe('what is sealed', () => {
  let sealed: Sealed;
  beforeAll(async () => {
    sealed = await seal('#cloud-config', key.x, PURPOSE);
  });

  test('opens with no other key', async () => {
    await expect(unseal(sealed, await generateSealingJwk(), PURPOSE)).rejects.toMatchObject(
      refused,
    );
  });

  test.each([
    ['another provider', { provider: 'gp_two' }],
    ['another owner', { requestor: 'gr_mallory' }],
    ['another VM', { vmName: 'db' }],
  ])('opens not for %s', async (_, change) => {
    await expect(unseal(sealed, key, { ...PURPOSE, ...change })).rejects.toMatchObject(refused);
  });

  test('says nothing twice: the same text is sealed to other bytes', async () => {
    expect(await seal('#cloud-config', key.x, PURPOSE)).not.toEqual(sealed);
  });

  test('does not open with any character of it changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('enc', 'ciphertext'),
        fc.nat(),
        fc.constantFrom(...BASE64URL),
        async (field, position, char) => {
          const text = sealed[field];
          const at = position % text.length;
          const changed = { ...sealed, [field]: text.slice(0, at) + char + text.slice(at + 1) };
          fc.pre(changed[field] !== text);
          await expect(unseal(changed, key, PURPOSE)).rejects.toMatchObject(refused);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('does not open with a bit of it flipped', async () => {
    for (const field of ['enc', 'ciphertext'] as const) {
      const bytes = Buffer.from(sealed[field], 'base64url');
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const changed = { ...sealed, [field]: flipped.toString('base64url') };
        await expect(unseal(changed, key, PURPOSE)).rejects.toMatchObject(refused);
      }
    }
  });

  test.each([
    ['nothing', ''],
    ['less than the tag', 'AAAA'],
    ['no base64url', '!!!!'],
    ['one character of base64url', 'A'],
  ])('does not open when %s is left of it', async (_, rest) => {
    for (const field of ['enc', 'ciphertext']) {
      await expect(unseal({ ...sealed, [field]: rest }, key, PURPOSE)).rejects.toMatchObject({
        ...refused,
        hint: expect.stringContaining('offer'),
      });
    }
  });

  test('does not open with a damaged key', async () => {
    const other = await generateSealingJwk();
    for (const change of [{ x: other.x }, { d: other.d }, { d: '!' }]) {
      await expect(unseal(sealed, { ...key, ...change }, PURPOSE)).rejects.toMatchObject(refused);
    }
  });

  test.each([
    ['a key that is too short', { enc: 'A'.repeat(42) }],
    ['a key that is too long', { enc: 'A'.repeat(44) }],
    ['a key in ordinary base64', { enc: `${'A'.repeat(42)}+` }],
    ['no text', { ciphertext: '' }],
    ['padding', { ciphertext: 'AAA=' }],
    ['a line break', { ciphertext: 'AAAA\n' }],
    ['anything else', { key: 'AAAA' }],
  ])('is not read with %s', (_, change) => {
    expect(sealedSchema.safeParse({ ...sealed, ...change }).success).toBe(false);
  });
});

describe('there is no sealing to', () => {
  test.each([
    ['nothing', ''],
    ['what is too short', 'AAAA'],
    ['what is too long', 'A'.repeat(44)],
    ['what is no base64url', '!'.repeat(43)],
    // With these everybody knows the shared secret (RFC 7748, section 6.1).
    ['the point 0', 'A'.repeat(43)],
    ['the point 1', `AQ${'A'.repeat(41)}`],
  ])('%s', async (_, no) => {
    await expect(seal('x', no, PURPOSE)).rejects.toMatchObject({
      ...refused,
      hint: expect.stringContaining('another provider'),
    });
  });
});

test('a key file is read when it holds a key for sealing, and no other', async () => {
  expect(sealingJwkSchema.parse(JSON.parse(JSON.stringify(key)))).toEqual(key);
  for (const change of [{ crv: 'Ed25519' }, { kty: 'EC' }, { d: key.d.slice(1) }, { x: '' }]) {
    expect(sealingJwkSchema.safeParse({ ...key, ...change }).success).toBe(false);
  }
});
