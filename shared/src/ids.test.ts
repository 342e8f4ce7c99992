import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  identityId,
  newOperationId,
  newRequestId,
  newVmId,
  operationIdSchema,
  providerIdSchema,
  requestorIdSchema,
  sessionIdSchema,
  vmIdSchema,
} from './ids.ts';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new Uint8Array(bytes));

describe('ids of keys', () => {
  test('are functions of the key alone, and differ with it and with the kind', async () => {
    await fc.assert(
      fc.asyncProperty(key, fc.nat(255), async (publicKey, bit) => {
        const provider = await identityId('provider', publicKey);
        expect(await identityId('provider', publicKey.slice())).toBe(provider);
        const requestor = await identityId('requestor', publicKey);
        expect(requestor.slice(3)).toBe(provider.slice(3));
        expect(providerIdSchema.safeParse(provider).success).toBe(true);
        expect(requestorIdSchema.safeParse(requestor).success).toBe(true);
        expect(requestorIdSchema.safeParse(provider).success).toBe(false);
        const other = publicKey.slice();
        other[bit >> 3]! ^= 1 << (bit & 7);
        expect(await identityId('provider', other)).not.toBe(provider);
      }),
      { numRuns: 50 },
    );
  });

  test('that of the key of RFC 9421 B.1.4', async () => {
    const raw = new Uint8Array(
      Buffer.from('JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs', 'base64url'),
    );
    // base32(sha256(raw)), 26 characters: reproducible with openssl and coreutils.
    expect(await identityId('provider', raw)).toBe('gp_wfwc2g7k2etcmolwj7nq5zgto5');
  });
});

describe('random ids', () => {
  test.each([
    ['vm', newVmId, vmIdSchema],
    ['op', newOperationId, operationIdSchema],
  ] as const)('%s_...', (prefix, make, schema) => {
    const ids = new Set(Array.from({ length: 1000 }, () => make()));
    expect(ids.size).toBe(1000);
    for (const id of ids) {
      expect(id.startsWith(`${prefix}_`)).toBe(true);
      expect(schema.safeParse(id).success).toBe(true);
    }
  });

  test('come from the given source', () => {
    const zeros = (length: number) => new Uint8Array(length);
    expect(newVmId(zeros)).toBe(`vm_${'a'.repeat(20)}`);
    expect(newOperationId(zeros)).toBe(`op_${'a'.repeat(20)}`);
    expect(newRequestId(zeros)).toBe(`req_${'a'.repeat(20)}`);
  });
});

test.each([
  '',
  'gp_',
  `gp_${'a'.repeat(25)}`,
  `gp_${'a'.repeat(27)}`,
  `gp_${'A'.repeat(26)}`,
  `gp_${'1'.repeat(26)}`,
  `gp_${'a'.repeat(26)}\n`,
  `-gp_${'a'.repeat(26)}`,
  `gp_${'a'.repeat(23)}/..`,
])('%j is no provider', (id) => {
  expect(providerIdSchema.safeParse(id).success).toBe(false);
});

test.each(['', 'a'.repeat(63), 'A'.repeat(64), `${'a'.repeat(64)}\n`, `../${'a'.repeat(61)}`])(
  '%j is no session',
  (id) => {
    expect(sessionIdSchema.safeParse(id).success).toBe(false);
  },
);
