/**
 * RFC 9421, appendix B.3 and B.4: what proxies may do to a message on its way, and what they may not.
 */
import {
  verifySignature,
  webcrypto,
  type FieldOccurrence,
  type RequestDescriptor,
  type SignatureComponent,
  type VerifiedSignature,
  type Verifier,
} from 'http-message-sig';
import { describe, expect, test } from 'vitest';
import { base64UrlDecode } from './encoding.ts';
import { importPublicKey } from './keys.ts';

const CREATED = 1618884473;

const fieldsOf = (lines: readonly string[]): readonly FieldOccurrence[] =>
  lines.map((line) => {
    const colon = line.indexOf(': ');
    return { name: line.slice(0, colon), value: line.slice(colon + 2) };
  });

const verify = (
  message: RequestDescriptor,
  label: string,
  requiredComponents: readonly SignatureComponent[],
  verifier: Verifier,
): Promise<VerifiedSignature> =>
  verifySignature(message, {
    label,
    policy: {
      algorithms: [verifier.algorithm],
      requiredComponents,
      requiredParameters: ['created', 'keyid'],
      now: CREATED,
    },
    resolveVerifier: () => verifier,
  });

describe('B.3: a proxy that ends TLS', () => {
  /** B.1.3, the public half. */
  const TEST_KEY_ECC_P256 = {
    kty: 'EC',
    crv: 'P-256',
    x: 'qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA',
    y: 'Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0',
  } as const;
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
  const verifier: Verifier = {
    algorithm: 'ecdsa-p256-sha256',
    verify: async (data, signature) =>
      crypto.subtle.verify(
        ecdsa,
        await crypto.subtle.importKey('jwk', TEST_KEY_ECC_P256, ecdsa, false, ['verify']),
        Uint8Array.from(signature),
        Uint8Array.from(data),
      ),
  };
  const components = ['@path', '@query', '@method', '@authority', 'client-cert'];
  const passedOn: RequestDescriptor = {
    kind: 'request',
    method: 'POST',
    targetUri: 'https://service.internal.example/foo?param=Value&Pet=dog',
    fields: fieldsOf([
      'Host: service.internal.example',
      'Date: Tue, 20 Apr 2021 02:07:55 GMT',
      'Content-Type: application/json',
      'Content-Length: 18',
      'Client-Cert: :MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:',
      'Signature-Input: ttrp=("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256"',
      'Signature: ttrp=:xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==:',
    ]),
  };

  test('signs for the host behind it', async () => {
    await expect(verify(passedOn, 'ttrp', components, verifier)).resolves.toMatchObject({
      parameters: { keyid: 'test-key-ecc-p256' },
    });
  });

  test('and for no other', async () => {
    const targetUri = passedOn.targetUri.replace('service.internal.', '');
    await expect(
      verify({ ...passedOn, targetUri }, 'ttrp', components, verifier),
    ).rejects.toMatchObject({ code: 'VerificationFailed' });
  });
});

describe('B.4: a request that was signed once', () => {
  const URL = 'https://example.org/demo?name1=Value1&Name2=value2';
  const DATE = 'Date: Fri, 15 Jul 2022 14:24:55 GMT';
  const signature = [
    'Signature-Input: transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"',
    'Signature: transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:',
  ];

  const arrives = async (method: string, targetUri: string, lines: readonly string[]) => {
    // B.1.4
    const key = base64UrlDecode('JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs') ?? new Uint8Array();
    return verify(
      { kind: 'request', method, targetUri, fields: fieldsOf([...lines, ...signature]) },
      'transform',
      ['@method', '@path', '@authority', 'accept'],
      webcrypto.verifier(await importPublicKey(key)),
    );
  };

  test.each([
    ['as it was sent', URL, ['Host: example.org', DATE, 'Accept: application/json', 'Accept: */*']],
    [
      'with a language and a query parameter more, which it does not cover',
      `${URL}&param=added`,
      [
        ...['Host: example.org', DATE, 'Accept: application/json', 'Accept: */*'],
        'Accept-Language: en-US,en;q=0.5',
      ],
    ],
    [
      'without a date, with a referrer, and with two lines made one',
      URL,
      [
        'Host: example.org',
        'Referer: https://developer.example.org/demo',
        'Accept: application/json, */*',
      ],
    ],
    [
      'with its fields in another order',
      URL,
      ['Accept: application/json', 'Accept: */*', DATE, 'Host: example.org'],
    ],
  ])('holds %s', async (_, url, lines) => {
    await expect(arrives('GET', url, lines)).resolves.toMatchObject({ algorithm: 'ed25519' });
  });

  test.each([
    [
      'with another method, for another host',
      'POST',
      URL.replace('example.org', 'example.com'),
      ['Host: example.com', DATE, 'Accept: application/json', 'Accept: */*'],
    ],
    [
      'with two values of one field in another order',
      'GET',
      URL,
      ['Host: example.org', DATE, 'Accept: */*', 'Accept: application/json'],
    ],
  ])('does not hold %s', async (_, method, url, lines) => {
    await expect(arrives(method, url, lines)).rejects.toMatchObject({ code: 'VerificationFailed' });
  });
});
