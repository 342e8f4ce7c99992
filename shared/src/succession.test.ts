import { beforeAll, describe, expect, test } from 'vitest';
import { generateIdentity, type Identity } from './keys.ts';
import { openSuccession, signSuccession, successionSchema } from './succession.ts';

let from: Identity;
let next: Identity;
let provider: string;
beforeAll(async () => {
  from = await generateIdentity('requestor');
  next = await generateIdentity('requestor');
  provider = (await generateIdentity('provider')).id;
});

test('who agreed is who follows', async () => {
  const succession = await signSuccession(provider, from.id, next);
  expect(successionSchema.parse(succession)).toEqual(succession);
  expect(await openSuccession(succession, provider, from.id)).toBe(next.id);
});

describe('a consent is none', () => {
  const refused = { name: 'GolemError', code: 'bad_signature' };

  test('at another provider, or after another key', async () => {
    const succession = await signSuccession(provider, from.id, next);
    const other = (await generateIdentity('provider')).id;
    await expect(openSuccession(succession, other, from.id)).rejects.toMatchObject(refused);
    await expect(openSuccession(succession, provider, next.id)).rejects.toMatchObject(refused);
  });

  test('of another key', async () => {
    const { consent } = await signSuccession(provider, from.id, next);
    const { publicKey } = await generateIdentity('requestor');
    await expect(openSuccession({ publicKey, consent }, provider, from.id)).rejects.toMatchObject(
      refused,
    );
  });

  test.each([
    { publicKey: 'A'.repeat(42) },
    { consent: 'A'.repeat(85) },
    { consent: `${'A'.repeat(85)}=` },
    { owner: 'me' },
  ])('with %j', async (change) => {
    const succession = await signSuccession(provider, from.id, next);
    expect(successionSchema.safeParse({ ...succession, ...change }).success).toBe(false);
  });
});
