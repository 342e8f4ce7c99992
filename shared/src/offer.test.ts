import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { base64UrlEncode } from './encoding.ts';
import { generateIdentity, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';
import { MAX_UNIT_PRICE } from './money.ts';
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
    features: [],
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
    expect(text).not.toBe(signed.text);
    await expect(openOffer({ ...signed, text }, provider.id)).rejects.toMatchObject(badSignature);
  });

  test('when it was only written in another way', async () => {
    for (const text of [` ${signed.text}`, JSON.stringify(offer, null, 1)]) {
      await expect(openOffer({ ...signed, text }, provider.id)).rejects.toMatchObject(badSignature);
    }
  });

  test('when any character of it was changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('text', 'signature'),
        fc.nat(),
        fc.integer({ min: 0x20, max: 0x7e }),
        async (field, position, code) => {
          const value = signed[field];
          const at = position % value.length;
          const changed = value.slice(0, at) + String.fromCharCode(code) + value.slice(at + 1);
          fc.pre(changed !== value);
          // Some changes make it no offer at all, or one of another version.
          const refused = {
            code: expect.stringMatching(/^(bad_signature|invalid_request|incompatible)$/),
          };
          await expect(
            openOffer({ ...signed, [field]: changed }, provider.id),
          ).rejects.toMatchObject({ name: 'GolemError', ...refused });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('when a bit of its signature was flipped', async () => {
    const bytes = Buffer.from(signed.signature, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const forged = { ...signed, signature: flipped.toString('base64url') };
      await expect(openOffer(forged, provider.id)).rejects.toMatchObject(badSignature);
    }
  });

  test('when what is signed is the text alone, as for another purpose', async () => {
    const bytes = new TextEncoder().encode(signed.text);
    const signature = new Uint8Array(
      await crypto.subtle.sign('Ed25519', provider.privateKey, bytes),
    );
    const other = { text: signed.text, signature: base64UrlEncode(signature) };
    await expect(openOffer(other, provider.id)).rejects.toMatchObject(badSignature);
  });

  test("as somebody else's", async () => {
    const other = await generateIdentity('provider');
    await expect(openOffer(signed, other.id)).rejects.toMatchObject(badSignature);
  });

  test('when it claims the id or the key of another', async () => {
    const mallory = await generateIdentity('provider');
    const keyOfMallory = await signOffer({ ...offer, publicKey: mallory.publicKey }, mallory);
    await expect(openOffer(keyOfMallory, provider.id)).rejects.toMatchObject(badSignature);
    const keyOfOther = await signOffer(offer, mallory);
    await expect(openOffer(keyOfOther, provider.id)).rejects.toMatchObject(badSignature);
    const idOfMallory = await signOffer({ ...offer, provider: mallory.id }, provider);
    await expect(openOffer(idOfMallory, mallory.id)).rejects.toMatchObject(badSignature);
    await expect(openOffer(idOfMallory, provider.id)).rejects.toMatchObject(badSignature);
  });

  test.each(['{', '', 'null', '[]', '"offer"', '{}'])('when it is %j', async (text) => {
    await expect(openOffer({ ...signed, text }, provider.id)).rejects.toMatchObject({
      name: 'GolemError',
      code: 'invalid_request',
    });
  });
});

describe('be it signed, an offer is refused with', () => {
  const prices = { cpuHour: 0, memoryGiBHour: 0, storageGiBHour: 0 };
  const amounts = { cpus: 1, memoryMiB: 1, storageGiB: 1, vms: 1 };

  test.each<[string, Partial<Record<keyof Offer, unknown>>]>([
    ['a name with an escape in it', { name: 'a\u001b[2J' }],
    ['a name that is too long', { name: 'a'.repeat(LIMITS.offer.nameChars + 1) }],
    ['no name', { name: '' }],
    ['a name that is an option', { name: '-a' }],
    ['the id of a requestor', { provider: `gr_${'a'.repeat(26)}` }],
    ['half a key', { publicKey: 'A'.repeat(42) }],
    ['half a key for sealing', { sealingKey: 'A'.repeat(42) }],
    ['a negative price', { prices: { ...prices, cpuHour: -1 } }],
    ['part of the smallest price', { prices: { ...prices, memoryGiBHour: 0.5 } }],
    ['a price above all', { prices: { ...prices, storageGiBHour: MAX_UNIT_PRICE + 1 } }],
    ['a price in words', { prices: { ...prices, cpuHour: '1' } }],
    ['a price that is missing', { prices: { cpuHour: 1, memoryGiBHour: 1 } }],
    ['half a CPU', { available: { ...amounts, cpus: 0.5 } }],
    ['fewer than no CPUs', { available: { ...amounts, cpus: -1 } }],
    ['more CPUs than there are', { capacity: { ...amounts, cpus: LIMITS.vm.cpus + 1 } }],
    ['more memory than there is', { capacity: { ...amounts, memoryMiB: 2 ** 24 + 1 } }],
    ['more VMs than are possible', { available: { ...amounts, vms: 10_001 } }],
    ['an image that is a path', { images: ['../disk'] }],
    ['too many images', { images: Array(LIMITS.offer.images + 1).fill('debian-12') }],
    ['a capability that is no word', { capabilities: ['fly!'] }],
    ['a driver that is no word', { driver: '' }],
    ['a version that is none', { version: 'two' }],
    ['a negative sequence', { sequence: -1 }],
    ['a sequence that is not exact', { sequence: 2 ** 53 }],
    ['a date in words', { issuedAt: 'yesterday' }],
    ['a date of another time zone', { issuedAt: '2026-01-01T00:00:00+02:00' }],
    ['a doubt whether it takes VMs', { accepting: 'maybe' }],
  ])('%s', async (_, change) => {
    const odd = await signOffer({ ...offer, ...change } as Offer, provider);
    await expect(openOffer(odd, provider.id)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('the bounds of an offer', () => {
  test('hold the largest one', async () => {
    const largest: Partial<Offer> = {
      name: 'a'.repeat(LIMITS.offer.nameChars),
      sequence: Number.MAX_SAFE_INTEGER,
      prices: {
        cpuHour: MAX_UNIT_PRICE,
        memoryGiBHour: MAX_UNIT_PRICE,
        storageGiBHour: MAX_UNIT_PRICE,
      },
      capacity: {
        cpus: LIMITS.vm.cpus,
        memoryMiB: LIMITS.vm.memoryMiB,
        storageGiB: LIMITS.vm.storageGiB,
        vms: 10_000,
      },
      images: Array(LIMITS.offer.images).fill('a'.repeat(64)),
      capabilities: ['suspend', 'snapshot', 'resize', 'clone'],
    };
    const all = await signOffer({ ...offer, ...largest }, provider);
    expect(signedOfferSchema.parse(all)).toEqual(all);
    expect(await openOffer(all, provider.id)).toMatchObject(largest);
  });

  test('hold the smallest one: a provider that has no room', async () => {
    const nothing: Partial<Offer> = {
      name: 'a',
      sequence: 0,
      prices: { cpuHour: 0, memoryGiBHour: 0, storageGiBHour: 0 },
      available: { cpus: 0, memoryMiB: 0, storageGiB: 0, vms: 0 },
      images: [],
      accepting: false,
    };
    const none = await signOffer({ ...offer, ...nothing }, provider);
    expect(await openOffer(none, provider.id)).toMatchObject(nothing);
  });

  test.each<[string, Partial<Record<keyof SignedOffer | 'country', unknown>>]>([
    ['a text that is too long', { text: ' '.repeat(LIMITS.offer.bytes + 1) }],
    ['no signature', { signature: undefined }],
    ['half a signature', { signature: 'A'.repeat(43) }],
    ['a signature in ordinary base64', { signature: `${'A'.repeat(86)}==` }],
    ['anything beside it', { country: 'DE' }],
  ])('do not hold one with %s', (_, change) => {
    expect(signedOfferSchema.safeParse({ ...signed, ...change }).success).toBe(false);
  });
});
