import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateIdentity, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';
import {
  SIGNED_REQUEST_HEADERS,
  signedHeadersOf,
  signerId,
  signRequest,
  verifyRequest,
  type RequestToSign,
  type WireRequest,
} from './signing.ts';

const NOW = Date.UTC(2026, 0, 1);
const now = () => NOW;
const POST: RequestToSign = {
  method: 'POST',
  url: 'https://discovery.example/v1/providers/gp_x/vms?a=1&b=2',
  body: '{"name":"web"}',
  idempotencyKey: 'req_0123456789',
};

let alice: Identity;
beforeAll(async () => {
  alice = await generateIdentity('requestor');
});

const verify = (request: WireRequest, at = NOW) => verifyRequest(request, { now: () => at });
const without = (request: WireRequest, header: string): WireRequest => ({
  ...request,
  headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== header)),
});
const withHeader = (request: WireRequest, name: string, value: string): WireRequest => ({
  ...request,
  headers: { ...request.headers, [name]: value },
});
const replaceAt = (text: string, at: number, char: string) =>
  text.slice(0, at) + char + text.slice(at + 1);
const badSignature = { name: 'GolemError', code: 'bad_signature' };

describe('a signed request', () => {
  test('proves who asks, for what, and when', async () => {
    const request = await signRequest({ ...POST, epoch: 7 }, alice, { now });
    const proof = await verify(request);
    expect(proof).toMatchObject({
      keyId: alice.publicKey,
      created: NOW / 1000,
      expires: NOW / 1000 + LIMITS.signature.lifetimeSeconds,
      idempotencyKey: POST.idempotencyKey,
      epoch: 7,
    });
    expect(await signerId('requestor', proof)).toBe(alice.id);
  });

  test('is another one each time, by its nonce', async () => {
    const [first, second] = [
      await verify(await signRequest(POST, alice, { now })),
      await verify(await signRequest(POST, alice, { now })),
    ];
    expect(first.nonce).not.toBe(second.nonce);
  });

  test('needs neither body nor key to read', async () => {
    const { method, url } = { method: 'GET', url: 'http://127.0.0.1:8787/v1/agent' };
    const proof = await verify(await signRequest({ method, url }, alice, { now }));
    expect(proof).toMatchObject({ idempotencyKey: undefined, epoch: undefined });
  });

  test.each<[string, (request: WireRequest) => WireRequest]>([
    ['the method', (request) => ({ ...request, method: 'PUT' })],
    ['the host', (request) => ({ ...request, url: request.url.replace('discovery', 'evil') })],
    ['the path', (request) => ({ ...request, url: request.url.replace('/vms', '/vmz') })],
    ['the query', (request) => ({ ...request, url: request.url.replace('b=2', 'b=3') })],
    ['the order in the query', (r) => ({ ...r, url: r.url.replace('a=1&b=2', 'b=2&a=1') })],
    ['the body', (request) => ({ ...request, body: `${request.body} ` })],
    ['a body that is gone', (request) => ({ ...request, body: '' })],
    ['the digest', (r) => withHeader(r, 'content-digest', 'sha-256=:AAAA:')],
    ['the idempotency key', (r) => withHeader(r, 'golem-idempotency-key', 'req_9999999999')],
    ['the epoch', (request) => withHeader(request, 'golem-epoch', '8')],
  ])('does not hold when one changes %s', async (_, change) => {
    const request = await signRequest({ ...POST, epoch: 7 }, alice, { now });
    await expect(verify(change(request))).rejects.toMatchObject(badSignature);
  });

  test.each(SIGNED_REQUEST_HEADERS)('does not hold without %s', async (header) => {
    const request = await signRequest({ ...POST, epoch: 7 }, alice, { now });
    await expect(verify(without(request, header))).rejects.toMatchObject(badSignature);
  });

  test('covers every header that says something: one that is added is refused', async () => {
    const request = await signRequest({ method: 'GET', url: POST.url }, alice, { now });
    for (const [name, value] of [
      ['golem-epoch', '1'],
      ['golem-idempotency-key', 'req_0123456789'],
    ] as const) {
      await expect(verify(withHeader(request, name, value))).rejects.toMatchObject(badSignature);
    }
  });

  test('that was made without a body does not hold with one', async () => {
    const { body: _, ...bare } = POST;
    const request = await signRequest(bare, alice, { now });
    await expect(verify(request)).resolves.toBeDefined();
    await expect(verify({ ...request, body: '{}' })).rejects.toMatchObject(badSignature);
  });

  test('must name its idempotency key if it changes something', async () => {
    const { idempotencyKey: _, ...keyless } = POST;
    const request = await signRequest(keyless, alice, { now });
    await expect(verify(request)).rejects.toThrow('needs the header golem-idempotency-key');
  });

  test.each(['k'.repeat(7), 'k'.repeat(65), 'with a space', 'with\ttab'])(
    'may not have %j as its idempotency key',
    async (idempotencyKey) => {
      const request = await signRequest({ ...POST, idempotencyKey }, alice, { now });
      await expect(verify(request)).rejects.toThrow('8 to 64 printable');
    },
  );

  test.each(['k'.repeat(8), '~'.repeat(64)])('may have %j', async (idempotencyKey) => {
    const request = await signRequest({ ...POST, idempotencyKey }, alice, { now });
    await expect(verify(request)).resolves.toMatchObject({ idempotencyKey });
  });

  test('by another key than it says does not hold', async () => {
    const mallory = await generateIdentity('requestor');
    const request = await signRequest(POST, mallory, { now });
    const input = request.headers['signature-input']?.replace(mallory.publicKey, alice.publicKey);
    await expect(verify(withHeader(request, 'signature-input', input ?? ''))).rejects.toMatchObject(
      badSignature,
    );
  });

  test('does not hold with any character of its headers changed', async () => {
    const request = await signRequest({ ...POST, epoch: 7 }, alice, { now });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SIGNED_REQUEST_HEADERS),
        fc.nat(),
        fc.integer({ min: 0x20, max: 0x7e }),
        async (name, position, code) => {
          const value = request.headers[name] ?? '';
          const changed = replaceAt(value, position % value.length, String.fromCharCode(code));
          fc.pre(changed !== value);
          await expect(verify(withHeader(request, name, changed))).rejects.toMatchObject(
            badSignature,
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('holds for every body, and not with a byte of it flipped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (body, position, flip) => {
          const request = await signRequest({ ...POST, body }, alice, { now });
          await expect(verify(request)).resolves.toMatchObject({ keyId: alice.publicKey });
          const at = position % body.length;
          const changed = replaceAt(body, at, String.fromCharCode(body.charCodeAt(at) ^ flip));
          fc.pre(
            new TextEncoder().encode(changed).join() !== new TextEncoder().encode(body).join(),
          );
          await expect(verify({ ...request, body: changed })).rejects.toMatchObject(badSignature);
        },
      ),
    );
  });

  test('does not hold with a bit of its signature flipped', async () => {
    const request = await signRequest(POST, alice, { now });
    const bytes = Buffer.from(request.headers['signature']?.slice(7, -1) ?? '', 'base64');
    expect(bytes).toHaveLength(64);
    for (let bit = 0; bit < 512; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const signature = `golem=:${flipped.toString('base64')}:`;
      await expect(verify(withHeader(request, 'signature', signature))).rejects.toMatchObject(
        badSignature,
      );
    }
  });

  test.each([-1, 0.5, 2 ** 53, NaN])('does not hold for an epoch of %d', async (epoch) => {
    const request = await signRequest({ ...POST, epoch }, alice, { now });
    await expect(verify(request)).rejects.toThrow('golem-epoch must be a whole number');
  });

  test.each([0, Number.MAX_SAFE_INTEGER])('holds for an epoch of %d', async (epoch) => {
    const request = await signRequest({ ...POST, epoch }, alice, { now });
    await expect(verify(request)).resolves.toMatchObject({ epoch });
  });

  test('holds behind a proxy that ends TLS, and however the host is spelt', async () => {
    const request = await signRequest(POST, alice, { now });
    for (const url of [
      POST.url.replace('https:', 'http:'),
      POST.url.replace('discovery.example', 'Discovery.Example:443'),
    ]) {
      await expect(verify({ ...request, url })).resolves.toMatchObject({ keyId: alice.publicKey });
    }
    const url = POST.url.replace('.example', '.example:8443');
    await expect(verify({ ...request, url })).rejects.toMatchObject(badSignature);
  });
});

describe('time', () => {
  const { clockSkewSeconds, lifetimeSeconds } = LIMITS.signature;

  test('a signature lives as long as it says, and clocks may differ a little', async () => {
    const request = await signRequest(POST, alice, { now });
    const last = NOW + (lifetimeSeconds + clockSkewSeconds) * 1000;
    await expect(verify(request, last)).resolves.toBeDefined();
    await expect(verify(request, last + 1000)).rejects.toMatchObject({ code: 'clock_skew' });
    const first = NOW - clockSkewSeconds * 1000;
    await expect(verify(request, first)).resolves.toBeDefined();
    await expect(verify(request, first - 1000)).rejects.toMatchObject({ code: 'clock_skew' });
  });

  test('an error says by how much the clocks differ', async () => {
    const request = await signRequest(POST, alice, { now });
    await expect(verify(request, NOW - 3_600_000)).rejects.toThrow('3600 s ahead of');
    await expect(verify(request, NOW + 3_600_000)).rejects.toThrow('3600 s behind');
  });
});

test('a hop passes on what is signed, and nothing else', () => {
  const headers = new Headers({ Signature: 'a', 'Signature-Input': 'b', Cookie: 'c', Host: 'd' });
  expect(signedHeadersOf(headers)).toEqual({ signature: 'a', 'signature-input': 'b' });
});
