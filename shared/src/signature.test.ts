/** Signatures that our own signer would never make, but others can: the policy of the verifier. */
import { createHash } from 'node:crypto';
import {
  createSignature,
  webcrypto,
  type SignatureComponent,
  type SignatureParameters,
} from 'http-message-sig';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { base64UrlDecode, base64UrlEncode } from './encoding.ts';
import { generateIdentity, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';
import { contentDigest, describe as describeRequest, type WireRequest } from './signature.ts';
import { verifyRequest } from './signing.ts';

const CREATED = Date.UTC(2026, 0, 1) / 1000;
const COVERED = ['@method', '@authority', '@path', '@query', 'content-digest'];
const WITH_KEY = [...COVERED, 'golem-idempotency-key'];
const BODY = '{"name":"web"}';

let alice: Identity;
let unsigned: WireRequest;
beforeAll(async () => {
  alice = await generateIdentity('requestor');
  unsigned = {
    method: 'POST',
    url: 'https://discovery.example/v1/x?a=1',
    headers: {
      'content-digest': await contentDigest(BODY),
      'golem-idempotency-key': 'req_0123456789',
    },
    body: BODY,
  };
});

type Headers = WireRequest['headers'];

interface Signing {
  readonly components?: readonly SignatureComponent[];
  readonly parameters?: Readonly<Record<string, string | number | undefined>>;
  readonly label?: string;
}

/** Signs with alice's key, by any profile. */
async function sign({ components = WITH_KEY, parameters, label = 'golem' }: Signing) {
  const profile: SignatureParameters = {
    created: CREATED,
    expires: CREATED + 60,
    nonce: 'n'.repeat(22),
    keyid: alice.publicKey,
    alg: 'ed25519',
    tag: 'golem',
    ...parameters,
  };
  const signer = webcrypto.signer(alice.privateKey);
  const { signature, signatureInput } = await createSignature(describeRequest(unsigned), {
    label,
    components,
    parameters: profile,
    // The library would not sign what names another algorithm.
    signer: { ...signer, algorithm: profile.alg ?? signer.algorithm },
  });
  return withHeaders({ signature, 'signature-input': signatureInput });
}

const withHeaders = (headers: Record<string, string>): WireRequest => ({
  ...unsigned,
  headers: { ...unsigned.headers, ...headers },
});
const verify = (request: WireRequest) => verifyRequest(request, { now: () => CREATED * 1000 });
const badSignature = { name: 'GolemError', code: 'bad_signature' };

describe('what a signature covers', () => {
  test.each(WITH_KEY)('must be all that is acted on, so also %s', async (left) => {
    const request = await sign({ components: WITH_KEY.filter((name) => name !== left) });
    await expect(verify(request)).rejects.toMatchObject({
      ...badSignature,
      message: expect.stringContaining(left),
    });
  });

  test('may be more, and in any order', async () => {
    const request = await sign({ components: ['@scheme', ...WITH_KEY.toReversed()] });
    await expect(verify(request)).resolves.toMatchObject({ keyId: alice.publicKey });
  });

  test('must have arrived', async () => {
    const request = await sign({});
    const input = request.headers['signature-input']?.replace('("@method"', '("date" "@method"');
    const more = { ...request.headers, 'signature-input': input ?? '' };
    await expect(verify(withHeaders(more))).rejects.toThrow('Missing field date');
  });

  test('is named once', async () => {
    const request = await sign({});
    const input = request.headers['signature-input']?.replace('"@method"', '"@method" "@method"');
    const twice = { ...request.headers, 'signature-input': input ?? '' };
    await expect(verify(withHeaders(twice))).rejects.toThrow('Duplicate component');
  });
});

describe('what a signature says of itself', () => {
  test.each<[string, Record<string, string | number | undefined>, string]>([
    ['no time', { created: undefined }, 'created'],
    ['no end', { expires: undefined }, 'expires'],
    ['an end before its time', { expires: CREATED - 1 }, 'expired before it was made'],
    ['a long life', { expires: CREATED + LIMITS.signature.lifetimeSeconds + 1 }, '60 s at most'],
    ['no nonce', { nonce: undefined }, 'nonce'],
    ['a short nonce', { nonce: 'n'.repeat(15) }, 'nonce'],
    ['a long nonce', { nonce: 'n'.repeat(LIMITS.signature.nonceChars + 1) }, 'nonce'],
    ['no key', { keyid: undefined }, 'keyid'],
    ['an empty key', { keyid: '' }, 'keyid'],
    ['no tag', { tag: undefined }, 'tag'],
    ['the tag of an answer', { tag: 'golem-answer' }, 'policy'],
    ['no algorithm', { alg: undefined }, 'alg'],
    ['an algorithm that is not ours', { alg: 'hmac-sha256' }, 'hmac-sha256 is not allowed'],
    ['an algorithm that nobody knows', { alg: 'none' }, 'none is not allowed'],
  ])('may not be %s', async (_, parameters, why) => {
    await expect(verify(await sign({ parameters }))).rejects.toMatchObject({
      ...badSignature,
      message: expect.stringContaining(why),
    });
  });

  test('holds for the shortest and the longest nonce', async () => {
    for (const nonce of ['n'.repeat(16), 'n'.repeat(LIMITS.signature.nonceChars)]) {
      await expect(verify(await sign({ parameters: { nonce } }))).resolves.toMatchObject({ nonce });
    }
  });

  test.each([
    ['too short', (raw: Uint8Array) => base64UrlEncode(raw.subarray(1))],
    ['too long', (raw: Uint8Array) => base64UrlEncode(new Uint8Array([...raw, 0]))],
    ['in ordinary base64', (raw: Uint8Array) => Buffer.from(raw).toString('base64')],
    ['in hexadecimal', (raw: Uint8Array) => Buffer.from(raw).toString('hex')],
    ['the id of it', () => alice.id],
  ])('may not name a key that is %s', async (_, write) => {
    const keyid = write(base64UrlDecode(alice.publicKey) ?? new Uint8Array());
    await expect(verify(await sign({ parameters: { keyid } }))).rejects.toThrow(
      'keyid must be a raw Ed25519 public key in base64url',
    );
  });
});

describe('the fields of a signature', () => {
  test('are both there', async () => {
    const { headers } = await sign({});
    const { signature: _, ...inputAlone } = headers;
    const { 'signature-input': __, ...signatureAlone } = headers;
    for (const part of [inputAlone, signatureAlone, unsigned.headers]) {
      await expect(verify({ ...unsigned, headers: part })).rejects.toMatchObject(badSignature);
    }
  });

  test.each(['signature', 'signature-input', 'content-digest', 'golem-idempotency-key'])(
    'and all that they cover come once: %s twice is refused',
    async (name) => {
      const request = await sign({});
      const value = request.headers[name];
      // This is how two lines of one header reach us.
      await expect(
        verify(withHeaders({ ...request.headers, [name]: `${value}, ${value}` })),
      ).rejects.toMatchObject(badSignature);
    },
  );

  test('are ours by their label', async () => {
    await expect(verify(await sign({ label: 'sig1' }))).rejects.toMatchObject(badSignature);
  });

  test("may hold somebody else's beside ours, wherever it stands", async () => {
    const [ours, other] = [(await sign({})).headers, (await sign({ label: 'proxy' })).headers];
    const both = (first: Headers, second: Headers) =>
      withHeaders({
        signature: `${first['signature']}, ${second['signature']}`,
        'signature-input': `${first['signature-input']}, ${second['signature-input']}`,
      });
    await expect(verify(both(ours, other))).resolves.toMatchObject({ keyId: alice.publicKey });
    await expect(verify(both(other, ours))).resolves.toMatchObject({ keyId: alice.publicKey });
  });

  test.each([
    ['without padding', (text: string) => text.replace('==:', ':')],
    ['with bits that belong to no byte', (text: string) => text.replace(/.==:$/, nextSpelling)],
  ])('spell a signature in one way: %s it is refused', async (_, respell) => {
    const request = await sign({});
    const signature = respell(request.headers['signature'] ?? '');
    expect(signature).not.toBe(request.headers['signature']);
    await expect(verify(withHeaders({ ...request.headers, signature }))).rejects.toThrow(
      'canonical base64',
    );
  });

  test('are bounded', async () => {
    const long = `golem=:${'A'.repeat(LIMITS.request.headerValueBytes)}:`;
    const { headers } = await sign({});
    await expect(verify(withHeaders({ ...headers, signature: long }))).rejects.toThrow(
      'The header signature is too long.',
    );
  });

  test('whatever is in them, are refused as what they are', async () => {
    const { headers } = await sign({});
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('signature', 'signature-input', 'content-digest'),
        fc.string({ unit: 'binary', maxLength: 200 }),
        async (name, value) => {
          await expect(verify(withHeaders({ ...headers, [name]: value }))).rejects.toMatchObject(
            badSignature,
          );
        },
      ),
    );
  });
});

/** The last of 86 base64 characters has four bits to spare: another character for the same byte. */
function nextSpelling(tail: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return `${alphabet[alphabet.indexOf(tail.slice(0, 1)) + 1]}==:`;
}

test('the digest of a body is that of its UTF-8', async () => {
  // RFC 9530, appendix B.1 and B.2.
  expect(await contentDigest('{"hello": "world"}\n')).toBe(
    'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:',
  );
  expect(await contentDigest('')).toBe('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:');
  const umlaut = createHash('sha256')
    .update(Buffer.from([0xc3, 0xbc]))
    .digest('base64');
  expect(await contentDigest('ü')).toBe(`sha-256=:${umlaut}:`);
});
