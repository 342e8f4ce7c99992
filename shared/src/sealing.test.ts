import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from './limits.ts';
import {
  generateSealingJwk,
  seal,
  sealedSchema,
  unseal,
  type Sealed,
  type SealingJwk,
} from './sealing.ts';

const PURPOSE = { provider: 'gp_one', requestor: 'gr_alice', vmName: 'web' };
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
    { numRuns: 30 },
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

  test('does not open with any part of it changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('enc', 'ciphertext'),
        fc.nat(),
        fc.constantFrom(...'AZaz09-_'),
        async (field, position, char) => {
          const text = sealed[field];
          // The last character holds bits that belong to no byte.
          const at = position % (text.length - 1);
          fc.pre(text[at] !== char);
          const changed = { ...sealed, [field]: text.slice(0, at) + char + text.slice(at + 1) };
          await expect(unseal(changed, key, PURPOSE)).rejects.toMatchObject(refused);
        },
      ),
    );
  });
});

test('there is no sealing to what is no key', async () => {
  for (const no of ['', 'AAAA', '!'.repeat(43)]) {
    await expect(seal('x', no, PURPOSE)).rejects.toMatchObject(refused);
  }
});
