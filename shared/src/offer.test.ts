import { beforeAll, describe, expect, test } from 'vitest';
import { generateIdentity, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';
import { openOffer, signedOfferSchema, signOffer, type Offer, type SignedOffer } from './offer.ts';

let provider: Identity;
let offer: Offer;
let signed: SignedOffer;
beforeAll(async () => {
  provider = await generateIdentity('provider');
  const amounts = { cpus: 4, memoryMiB: 8192, storageGiB: 100, vms: 4 };
  offer = {
    version: 1,
    provider: provider.id,
    publicKey: provider.publicKey,
    sealingKey: 'A'.repeat(43),
    name: 'attic',
    sequence: 1,
    issuedAt: '2026-01-01T00:00:00.000Z',
    driver: 'qemu',
    arch: 'x86_64',
    accelerator: 'kvm',
    isolation: 'restricted',
    capacity: amounts,
    available: amounts,
    prices: { cpuHour: 5_000_000, memoryGiBHour: 2_000_000, storageGiBHour: 100_000 },
    images: ['debian-12'],
    capabilities: [],
    accepting: true,
  };
  signed = await signOffer(offer, provider);
});

const badSignature = { name: 'GolemError', code: 'bad_signature' };

test('an offer opens as it was signed', async () => {
  expect(signedOfferSchema.parse(signed)).toEqual(signed);
  expect(await openOffer(signed, provider.id)).toEqual(offer);
});

test('a field that a newer provider added is passed over', async () => {
  const newer = await signOffer({ ...offer, mood: 'good' } as Offer, provider);
  expect(await openOffer(newer, provider.id)).toEqual(offer);
});

describe('an offer is refused', () => {
  test('when a word of it was changed', async () => {
    const text = signed.text.replace('"cpuHour":5000000', '"cpuHour":4000000');
    await expect(openOffer({ ...signed, text }, provider.id)).rejects.toMatchObject(badSignature);
  });

  test('when it was only written in another way', async () => {
    const text = ` ${signed.text}`;
    await expect(openOffer({ ...signed, text }, provider.id)).rejects.toMatchObject(badSignature);
  });

  test("as somebody else's", async () => {
    const other = await generateIdentity('provider');
    await expect(openOffer(signed, other.id)).rejects.toMatchObject(badSignature);
  });

  test('when it claims the id of another key', async () => {
    const mallory = await generateIdentity('provider');
    const claims = await signOffer({ ...offer, publicKey: mallory.publicKey }, mallory);
    await expect(openOffer(claims, provider.id)).rejects.toMatchObject(badSignature);
    const forged = await signOffer(offer, mallory);
    await expect(openOffer(forged, provider.id)).rejects.toMatchObject(badSignature);
  });

  test.each<[string, Partial<Record<keyof Offer, unknown>>]>([
    ['a name with an escape in it', { name: 'a\u001b[2J' }],
    ['a name that is too long', { name: 'a'.repeat(LIMITS.offer.nameChars + 1) }],
    ['a negative price', { prices: { cpuHour: -1, memoryGiBHour: 0, storageGiBHour: 0 } }],
    ['half a CPU', { available: { cpus: 0.5, memoryMiB: 1, storageGiB: 1, vms: 1 } }],
    ['an image that is a path', { images: ['../disk'] }],
    ['another version', { version: 2 }],
    ['a date in words', { issuedAt: 'yesterday' }],
  ])('with %s, be it signed', async (_, change) => {
    const odd = await signOffer({ ...offer, ...change } as Offer, provider);
    await expect(openOffer(odd, provider.id)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('when it is no JSON', async () => {
    await expect(openOffer({ ...signed, text: '{' }, provider.id)).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});
