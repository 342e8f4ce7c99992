import { beforeAll, describe, expect, test } from 'vitest';
import { generateIdentity, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';
import { openSuccession, signSuccession, successionSchema } from './succession.ts';

const NOW = Date.UTC(2026, 0, 1);
let from: Identity;
let next: Identity;
let provider: string;
beforeAll(async () => {
  from = await generateIdentity('requestor');
  next = await generateIdentity('requestor');
  provider = (await generateIdentity('provider')).id;
});

test('who agreed is who follows', async () => {
  const succession = await signSuccession(provider, from.id, next, NOW);
  expect(successionSchema.parse(succession)).toEqual(succession);
  expect(await openSuccession(succession, provider, from.id, NOW)).toBe(next.id);
});

describe('a consent is none', () => {
  const refused = { name: 'GolemError', code: 'bad_signature' };

  test('at another provider, or after another key', async () => {
    const succession = await signSuccession(provider, from.id, next, NOW);
    const other = (await generateIdentity('provider')).id;
    await expect(openSuccession(succession, other, from.id, NOW)).rejects.toMatchObject(refused);
    await expect(openSuccession(succession, provider, next.id, NOW)).rejects.toMatchObject(refused);
  });

  test('of another key', async () => {
    const succession = await signSuccession(provider, from.id, next, NOW);
    const { publicKey } = await generateIdentity('requestor');
    await expect(
      openSuccession({ ...succession, publicKey }, provider, from.id, NOW),
    ).rejects.toMatchObject(refused);
  });

  test('after ten minutes, or for longer than that', async () => {
    const succession = await signSuccession(provider, from.id, next, NOW);
    const open = (now: number, change = {}) =>
      openSuccession({ ...succession, ...change }, provider, from.id, now);
    const { consentMillis } = LIMITS.succession;
    const skewMillis = LIMITS.signature.clockSkewSeconds * 1000;
    expect(await open(NOW + consentMillis + skewMillis)).toBe(next.id);
    await expect(open(NOW + consentMillis + skewMillis + 1)).rejects.toMatchObject(refused);
    expect(await open(NOW - skewMillis)).toBe(next.id);
    await expect(open(NOW - skewMillis - 1)).rejects.toMatchObject(refused);
    // The end is signed as well.
    const until = new Date(NOW + 2 * consentMillis).toISOString();
    await expect(open(NOW + consentMillis, { until })).rejects.toMatchObject(refused);
  });

  test.each([
    { until: 'tomorrow' },
    { publicKey: 'A'.repeat(42) },
    { consent: 'A'.repeat(85) },
    { consent: `${'A'.repeat(85)}=` },
    { owner: 'me' },
  ])('with %j', async (change) => {
    const succession = await signSuccession(provider, from.id, next, NOW);
    expect(successionSchema.safeParse({ ...succession, ...change }).success).toBe(false);
  });
});
