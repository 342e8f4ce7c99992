import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerHeadersOf, signAnswer, verifyAnswer, type WireAnswer } from './answers.ts';
import { generateIdentity, openIdentity, generatePrivateJwk, type Identity } from './keys.ts';
import { signRequest, verifyRequest, type WireRequest } from './signing.ts';

const now = () => Date.UTC(2026, 0, 1);
const POST = {
  method: 'POST',
  url: 'https://discovery.example/v1/providers/gp_x/vms',
  body: '{"name":"web"}',
  idempotencyKey: 'req_0123456789',
};
const untrusted = { name: 'GolemError', code: 'untrusted_answer' };

let alice: Identity;
let provider: Identity;
let request: WireRequest;
let answer: WireAnswer;
beforeAll(async () => {
  alice = await generateIdentity('requestor');
  provider = await generateIdentity('provider');
  request = await signRequest(POST, alice, { now });
  answer = await signAnswer({ status: 202, body: '{"ok":true}' }, request, provider, { now });
});

const withHeader = (name: string, value: string | undefined): WireAnswer => ({
  ...answer,
  headers: { ...answer.headers, [name]: value ?? '' },
});

describe('a signed answer', () => {
  test("is the provider's own word on exactly this request", async () => {
    await expect(verifyAnswer(answer, request, provider.id)).resolves.toBeUndefined();
  });

  test('may be a refusal, or have nothing to say', async () => {
    for (const said of [
      { status: 409, body: '{"error":{}}' },
      { status: 204, body: '' },
    ]) {
      const signed = await signAnswer(said, request, provider, { now });
      await expect(verifyAnswer(signed, request, provider.id)).resolves.toBeUndefined();
    }
  });

  test('is no answer to another request, be it the same but for its nonce', async () => {
    const again = await signRequest(POST, alice, { now });
    await expect(verifyAnswer(answer, again, provider.id)).rejects.toMatchObject(untrusted);
  });

  test('is no answer to a request that was never signed', async () => {
    const unsigned = { ...request, headers: {} };
    await expect(verifyAnswer(answer, unsigned, provider.id)).rejects.toMatchObject(untrusted);
  });

  test.each<[string, Partial<WireAnswer>]>([
    ['another status', { status: 200 }],
    ['a status that there is not', { status: 0 }],
    ['another body', { body: '{"ok":false}' }],
    ['no body', { body: '' }],
    ['no headers', { headers: {} }],
  ])('does not hold with %s', async (_, change) => {
    const changed = { ...answer, ...change };
    await expect(verifyAnswer(changed, request, provider.id)).rejects.toMatchObject(untrusted);
  });

  test.each(['signature', 'signature-input', 'content-digest'])(
    'does not hold without %s, nor with that of another answer',
    async (name) => {
      const { [name]: _, ...headers } = answer.headers;
      const bare = { ...answer, headers };
      await expect(verifyAnswer(bare, request, provider.id)).rejects.toMatchObject(untrusted);

      const later = { now: () => now() + 1000 };
      const other = await signAnswer({ status: 202, body: '{}' }, request, provider, later);
      const mixed = withHeader(name, other.headers[name]);
      await expect(verifyAnswer(mixed, request, provider.id)).rejects.toMatchObject(untrusted);
    },
  );

  test('does not hold with any character of its headers or its body changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('signature', 'signature-input', 'content-digest', 'body'),
        fc.nat(),
        fc.integer({ min: 0x20, max: 0x7e }),
        async (part, position, code) => {
          const value = (part === 'body' ? answer.body : answer.headers[part]) ?? '';
          const at = position % value.length;
          const text = value.slice(0, at) + String.fromCharCode(code) + value.slice(at + 1);
          fc.pre(text !== value);
          const changed = part === 'body' ? { ...answer, body: text } : withHeader(part, text);
          await expect(verifyAnswer(changed, request, provider.id)).rejects.toMatchObject(
            untrusted,
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test("by anybody else is not the provider's", async () => {
    const other = await generateIdentity('provider');
    const forged = await signAnswer({ status: 202, body: '{}' }, request, other, { now });
    await expect(verifyAnswer(forged, request, provider.id)).rejects.toThrow(other.id);
  });

  test('is not that of a requestor, whatever key it has', async () => {
    const jwk = await generatePrivateJwk();
    const signer = await openIdentity('provider', jwk);
    const requestor = await openIdentity('requestor', jwk);
    const signed = await signAnswer({ status: 202, body: '{}' }, request, signer, { now });
    await expect(verifyAnswer(signed, request, signer.id)).resolves.toBeUndefined();
    await expect(verifyAnswer(signed, request, requestor.id)).rejects.toMatchObject(untrusted);
  });

  test('is not a request, and a request is no answer', async () => {
    const headers = { ...request.headers, ...answer.headers };
    await expect(verifyRequest({ ...request, headers }, { now })).rejects.toMatchObject({
      code: 'bad_signature',
    });
    const echo = { status: 202, headers: request.headers, body: request.body };
    await expect(verifyAnswer(echo, request, provider.id)).rejects.toMatchObject(untrusted);
  });
});

test('nothing of an answer is passed on but what is signed', () => {
  const headers = new Headers({ ...answer.headers, 'Set-Cookie': 'a', Location: '/b' });
  expect(answerHeadersOf(headers)).toEqual(answer.headers);
});
