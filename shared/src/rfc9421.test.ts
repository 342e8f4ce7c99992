/**
 * The vectors of RFC 9421, appendix B.1 and B.2: what our signatures are made of (the library's
 * signature base and fields, our Ed25519 keys) against the bytes that the standard prints.
 */
import { createHash, createHmac } from 'node:crypto';
import {
  component,
  createSignature,
  verifySignature,
  webcrypto,
  type MessageDescriptor,
  type SignatureComponent,
  type SignatureParameters,
} from 'http-message-sig';
import { describe, expect, test } from 'vitest';
import { openIdentity, importPublicKey } from './keys.ts';
import { base64UrlDecode } from './encoding.ts';

const CREATED = 1618884473;
const SHA512 =
  'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:';

/** Appendix B.2: the request, with the body `{"hello": "world"}`. */
const request: MessageDescriptor = {
  kind: 'request',
  method: 'POST',
  targetUri: 'https://example.com/foo?param=Value&Pet=dog',
  fields: [
    { name: 'host', value: 'example.com' },
    { name: 'date', value: 'Tue, 20 Apr 2021 02:07:55 GMT' },
    { name: 'content-type', value: 'application/json' },
    { name: 'content-digest', value: SHA512 },
    { name: 'content-length', value: '18' },
  ],
};

/** Appendix B.2: the response, with the body `{"message": "good dog"}`. */
const response: MessageDescriptor = {
  kind: 'response',
  status: 200,
  fields: [
    { name: 'date', value: 'Tue, 20 Apr 2021 02:07:56 GMT' },
    { name: 'content-type', value: 'application/json' },
    {
      name: 'content-digest',
      value:
        'sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:',
    },
    { name: 'content-length', value: '23' },
  ],
};

/** B.1.4, as a JSON Web Key. */
const TEST_KEY_ED25519 = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU',
  x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs',
} as const;

/** B.1.5 */
const TEST_SHARED_SECRET =
  'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==';

async function signatureBase(
  message: MessageDescriptor,
  components: readonly SignatureComponent[],
  parameters: SignatureParameters,
): Promise<string> {
  let base = '';
  const sign = (data: Uint8Array) => {
    base = new TextDecoder().decode(data);
    return new Uint8Array(1);
  };
  await createSignature(message, { components, parameters, signer: { algorithm: 'none', sign } });
  return base;
}

test.each([
  ['request', '{"hello": "world"}', SHA512],
  ['response', '{"message": "good dog"}', response.fields[2]?.value],
])('the digest of the %s is that of its body', (_, body, printed) => {
  const digest = createHash('sha512').update(body).digest('base64');
  expect(printed).toBe(`sha-512=:${digest}:`);
});

test('B.1.4: the public half is the same in a JSON Web Key as in PEM', async () => {
  const pem = 'MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=';
  const raw = base64UrlDecode(TEST_KEY_ED25519.x) ?? new Uint8Array();
  const spki = await crypto.subtle.exportKey('spki', await importPublicKey(raw));
  expect(Buffer.from(spki).toString('base64')).toBe(pem);
});

describe('signature bases', () => {
  test('B.2.1: nothing is covered', async () => {
    const nonce = 'b3k2pp5k7z-50gnwp.yemd';
    const parameters = { created: CREATED, keyid: 'test-key-rsa-pss', nonce };
    expect(await signatureBase(request, [], parameters)).toBe(
      `"@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="${nonce}"`,
    );
  });

  test('B.2.2: a single query parameter, which our signatures never cover alone, is refused', () => {
    expect(() => component('@query-param', { name: 'Pet' })).toThrow('not supported');
  });

  test('B.2.3: everything is covered', async () => {
    const components = [
      ...['date', '@method', '@path', '@query', '@authority'],
      ...['content-type', 'content-digest', 'content-length'],
    ];
    const parameters = { created: CREATED, keyid: 'test-key-rsa-pss' };
    expect(await signatureBase(request, components, parameters)).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@query": ?param=Value&Pet=dog',
        '"@authority": example.com',
        '"content-type": application/json',
        `"content-digest": ${SHA512}`,
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
      ].join('\n'),
    );
  });

  test('B.2.4: a response', async () => {
    const components = ['@status', 'content-type', 'content-digest', 'content-length'];
    const parameters = { created: CREATED, keyid: 'test-key-ecc-p256' };
    expect(await signatureBase(response, components, parameters)).toBe(
      [
        '"@status": 200',
        '"content-type": application/json',
        `"content-digest": ${response.fields[2]?.value}`,
        '"content-length": 23',
        '"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"',
      ].join('\n'),
    );
  });
});

describe('signatures', () => {
  test('B.2.5: HMAC over a request', async () => {
    const fields = await createSignature(request, {
      label: 'sig-b25',
      components: ['date', '@authority', 'content-type'],
      parameters: { created: CREATED, keyid: 'test-shared-secret' },
      signer: {
        algorithm: 'hmac-sha256',
        sign: (data) =>
          createHmac('sha256', Buffer.from(TEST_SHARED_SECRET, 'base64')).update(data).digest(),
      },
    });
    expect(fields).toEqual({
      signatureInput:
        'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
      signature: 'sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:',
    });
  });

  const components = [
    ...['date', '@method', '@path', '@authority', 'content-type', 'content-length'],
  ];
  const b26 = {
    signatureInput:
      'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    signature:
      'sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:',
  };

  test('B.2.6: an identity with the key of B.1.4 signs the request', async () => {
    const { privateKey } = await openIdentity('requestor', TEST_KEY_ED25519);
    const fields = await createSignature(request, {
      label: 'sig-b26',
      components,
      parameters: { created: CREATED, keyid: 'test-key-ed25519' },
      signer: webcrypto.signer(privateKey),
    });
    expect(fields).toEqual(b26);
  });

  const verify = (message: MessageDescriptor) =>
    verifySignature(
      {
        ...message,
        fields: [
          ...message.fields,
          { name: 'signature-input', value: b26.signatureInput },
          { name: 'signature', value: b26.signature },
        ],
      },
      {
        label: 'sig-b26',
        policy: {
          algorithms: ['ed25519'],
          requiredComponents: components,
          requiredParameters: ['created', 'keyid'],
          now: CREATED,
        },
        resolveVerifier: async () =>
          webcrypto.verifier(
            await importPublicKey(base64UrlDecode(TEST_KEY_ED25519.x) ?? new Uint8Array()),
          ),
      },
    );

  test('B.2.6: the signature that the standard prints holds', async () => {
    await expect(verify(request)).resolves.toMatchObject({ algorithm: 'ed25519' });
  });

  test('B.2.6: it holds for no other request', async () => {
    await expect(verify({ ...request, method: 'PUT' })).rejects.toMatchObject({
      code: 'VerificationFailed',
    });
  });
});
