/** What the client believes: answers that the provider signed, and of discovery its refusals. */
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { signAnswer } from '@vm-on-golem/shared/answers';
import { http, HttpResponse } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SignedRefusal } from '../src/sdk/wire/outcome.ts';
import {
  clientOf,
  DISCOVERY,
  failure,
  pass,
  serve,
  server,
  signedBy,
  TestProvider,
  vmOf,
  type Network,
} from './network.ts';

const { signal } = new AbortController();
let provider: TestProvider;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
afterEach(() => server.resetHandlers());
beforeEach(async () => {
  provider = await TestProvider.create('attic');
  provider.answer = () => ({ status: 200, body: vmOf() });
  serve(provider);
});

const ask = async () => {
  const { client, ...rest } = await clientOf();
  return { vm: client.vms.get(provider.id, 'web', { signal }), ...rest };
};

describe('an answer', () => {
  test('is believed when the provider signed it, to what we have signed', async () => {
    const { vm, identity } = await ask();
    await expect(vm).resolves.toEqual(vmOf());
    expect(await signedBy(provider, identity.id)).toBe(true);
  });

  const changed: [string, Network][] = [
    ['without its signature', ({ status, body }) => new Response(body, { status })],
    ['with another status', (answer, request) => pass({ ...answer, status: 202 }, request)],
    [
      'with another body',
      (answer, request) => pass({ ...answer, body: answer.body.replace('web', 'wet') }, request),
    ],
    [
      'signed by somebody else',
      async (answer, request) => {
        const mallory = await generateIdentity('provider');
        return pass(await signAnswer(answer, request, mallory, { now: Date.now }), request);
      },
    ],
    [
      'that was given to another request',
      async (answer, request) => {
        const other = { ...request, headers: { ...request.headers, signature: 'golem=:AAAA:' } };
        return pass(await signAnswer(answer, other, provider.identity, { now: Date.now }), request);
      },
    ],
  ];
  test.each(changed)('%s is not believed, and not asked for again', async (_, network) => {
    provider.network = network;
    const { vm } = await ask();
    await expect(vm).rejects.toMatchObject({ code: 'untrusted_answer' });
    expect(provider.asked).toHaveLength(1);
  });

  test('that is signed and makes no sense is an error, not a crash', async () => {
    provider.answer = () => ({ status: 200, body: { id: 7 } });
    const { vm } = await ask();
    await expect(vm).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('a refusal', () => {
  test("that is signed is the provider's last word", async () => {
    provider.answer = () => {
      throw new GolemError('vm_not_found', 'There is no web.', { hint: 'Look.' });
    };
    const { vm } = await ask();
    const error = await vm.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SignedRefusal);
    expect(error).toMatchObject({
      code: 'vm_not_found',
      message: 'There is no web.',
      hint: 'Look.',
    });
  });

  test("that is not signed is discovery's, and no last word", async () => {
    provider.network = () => failure(new GolemError('provider_offline'));
    const { vm } = await ask();
    const error = await vm.catch((caught: unknown) => caught);
    expect(error).not.toBeInstanceOf(SignedRefusal);
    expect(error).toMatchObject({ code: 'provider_offline' });
  });

  test('cannot be slipped in under a signature for something else', async () => {
    provider.network = ({ headers }) =>
      new Response(JSON.stringify(new GolemError('vm_not_found').toBody()), {
        status: 404,
        headers,
      });
    const { vm } = await ask();
    await expect(vm).rejects.toMatchObject({ code: 'untrusted_answer' });
  });

  test.each([
    [502, 'discovery_unreachable'],
    [403, 'internal'],
    [429, 'rate_limited'],
  ])('that is the page of a proxy is one by its status: %i', async (status, code) => {
    server.use(
      http.get(`${DISCOVERY}${paths.providers}`, () => new Response('<h1>Oops</h1>', { status })),
    );
    const { client } = await clientOf();
    const page = client.providers.resolve('gp_abcdefghij', { signal });
    await expect(page).rejects.toMatchObject({ code });
    await expect(page).rejects.toThrow(`status ${status}`);
  });
});

describe('discovery', () => {
  test('that says when to come back is asked then, and not for ever', async () => {
    provider.network = () =>
      failure(new GolemError('rate_limited', undefined, { retryAfter: 7 }), { 'retry-after': '7' });
    const { vm, waits } = await ask();
    await expect(vm).rejects.toMatchObject({ code: 'rate_limited', retryAfter: 7 });
    expect(waits).toEqual([7000, 7000, 7000]);
    const nonces = provider.asked.map(({ headers }) => headers['signature-input']);
    expect(new Set(nonces).size).toBe(4);
  });

  test('that says that a provider will be back is asked again, otherwise not', async () => {
    let asks = 0;
    provider.network = () => {
      asks += 1;
      const retryAfter = asks === 1 ? { retryAfter: 2 } : {};
      return failure(new GolemError('provider_offline', undefined, retryAfter));
    };
    const { vm, waits } = await ask();
    await expect(vm).rejects.toMatchObject({ code: 'provider_offline' });
    expect([asks, waits]).toEqual([2, [2000]]);
  });

  test('that asks for an hour is not waited for', async () => {
    provider.network = () =>
      failure(new GolemError('rate_limited', undefined, { retryAfter: 3600 }));
    const { vm, waits } = await ask();
    await expect(vm).rejects.toMatchObject({ code: 'rate_limited' });
    expect(waits).toEqual([]);
  });

  test('that is not there is said to be', async () => {
    provider.network = () => HttpResponse.error();
    const { vm } = await ask();
    await expect(vm).rejects.toMatchObject({ code: 'discovery_unreachable' });
  });

  test('that leads elsewhere is not followed', async () => {
    provider.network = () => Response.redirect('https://evil.test/', 307);
    const { vm } = await ask();
    await expect(vm).rejects.toMatchObject({ name: 'GolemError' });
  });

  test('that never stops talking is not listened to', async () => {
    provider.network = () =>
      new Response(
        new ReadableStream({
          pull: (stream) => stream.enqueue(new Uint8Array(1024 * 1024)),
        }),
      );
    const { vm } = await ask();
    await expect(vm).rejects.toThrow('far too large');
  });

  test('has to have a URL', async () => {
    await expect(clientOf({ discovery: 'discovery.test' })).rejects.toMatchObject({
      code: 'usage',
    });
  });
});

describe('the list of providers', () => {
  test('has nobody in it whose offer is not signed by the key of its id', async () => {
    const other = await TestProvider.create('cellar');
    const [honest, forged] = [await provider.row(1), { ...(await other.row(1)), id: provider.id }];
    server.use(
      http.get(`${DISCOVERY}${paths.providers}`, () =>
        HttpResponse.json({ providers: [forged, honest], next: null }),
      ),
    );
    const { client } = await clientOf();
    const resources = { cpus: 1, memoryMiB: 1024, storageGiB: 10 };
    const page = await client.providers.page({ resources }, { limit: 10, signal });
    expect(page).toMatchObject({ forged: 1, candidates: [{ offer: { name: 'attic' } }] });
  });

  test("has the prices of the signed offers, whatever discovery's are", async () => {
    const row = { ...(await provider.row(5_000_000)), hourlyPrice: 1 };
    server.use(
      http.get(`${DISCOVERY}${paths.providers}`, () =>
        HttpResponse.json({ providers: [row], next: null }),
      ),
    );
    const { client } = await clientOf();
    const resources = { cpus: 2, memoryMiB: 1024, storageGiB: 10 };
    const page = await client.providers.page({ resources }, { limit: 10, signal });
    expect(page.candidates).toMatchObject([{ hourlyPrice: 10_000_000 }]);
  });
});
