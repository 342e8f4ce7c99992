/** What is refused at the door, in the order in which it is looked at. */
import { listDurableObjectIds } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { paths } from '@vm-on-golem/shared/api';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { signRequest, type WireRequest } from '@vm-on-golem/shared/signing';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RATES } from '../src/objects/limiter/rates.ts';
import { codeOf, connectAgent, nextEpoch, ORIGIN, send, signed, upgrade } from './parties.ts';

const requestor = await generateIdentity('requestor');
const { id: provider } = await generateIdentity('provider');
const create = (body: string) =>
  signed(requestor, {
    method: 'POST',
    path: paths.vms(provider),
    body,
    idempotencyKey: 'key-of-a-create',
  });

describe('a version that this service does not speak', () => {
  it.each([
    ['2', 'Update the discovery service.'],
    ['0', 'Update the program that asked.'],
  ])('%s is incompatible, whatever else is wrong', async (version, hint) => {
    const response = await exports.default.fetch(`${ORIGIN}/nowhere`, {
      headers: { 'golem-protocol': version },
    });
    expect(response.status).toBe(501);
    expect(response.headers.get('golem-protocol')).toBe('1');
    expect(await response.json()).toMatchObject({ error: { code: 'incompatible', hint } });
  });

  it('of the control socket is told from no version at all', async () => {
    const identity = await generateIdentity('provider');
    for (const [protocol, code] of [
      ['golem.agent.v2', 'incompatible'],
      ['chat', 'invalid_request'],
    ] as const) {
      const headers = { 'sec-websocket-protocol': protocol };
      expect(await codeOf(await connectAgent(identity, { headers }))).toBe(code);
    }
  });

  it('is said in every answer, errors included', async () => {
    for (const path of ['/healthz', paths.providers, '/nowhere']) {
      const response = await exports.default.fetch(ORIGIN + path, {
        headers: { 'golem-protocol': '1' },
      });
      expect(response.headers.get('golem-protocol')).toBe('1');
      await response.body?.cancel();
    }
  });
});

describe('a badly signed request', () => {
  it.each<[string, (good: WireRequest) => WireRequest]>([
    ['no signature', (good) => ({ ...good, headers: {} })],
    ['another body', (good) => ({ ...good, body: '{"name":"evil"}' })],
    ['another path', (good) => ({ ...good, url: `${good.url}/x` })],
    ['another query', (good) => ({ ...good, url: `${good.url}?x=1` })],
    ['another host', (good) => ({ ...good, url: good.url.replace('discovery', 'other') })],
    [
      'another idempotency key',
      (good) => ({ ...good, headers: { ...good.headers, 'golem-idempotency-key': 'different' } }),
    ],
    [
      'an epoch that is not signed',
      (good) => ({ ...good, headers: { ...good.headers, 'golem-epoch': '5' } }),
    ],
    [
      "another's key",
      (good) => ({
        ...good,
        headers: {
          ...good.headers,
          'signature-input': (good.headers['signature-input'] ?? '').replace(
            /keyid="[^"]*"/,
            `keyid="${'A'.repeat(43)}"`,
          ),
        },
      }),
    ],
  ])('is refused: %s', async (_, change) => {
    const response = await send(change(await create('{"name":"web"}')));
    expect(response.status).toBe(401);
    expect(await codeOf(response)).toBe('bad_signature');
  });

  it('is told by how much its clock is off', async () => {
    for (const seconds of [-200, 200]) {
      const request = await signRequest(
        { method: 'GET', url: ORIGIN + paths.vms(provider) },
        requestor,
        { now: () => Date.now() + seconds * 1000 },
      );
      const response = await send(request);
      const { error } = await response.json<{ error: { code: string; message: string } }>();
      expect(error.code).toBe('clock_skew');
      expect(error.message).toMatch(/\b(?:199|200|201) s (?:ahead of|behind)\b/);
    }
  });

  it('wakes no object', async () => {
    const before = await Promise.all(
      [env.HUB, env.LIMITER, env.RELAY].map((objects) => listDurableObjectIds(objects)),
    );
    const stranger = await generateIdentity('requestor');
    const unsigned = { method: 'GET', url: ORIGIN + paths.vms(provider), headers: {}, body: '' };
    const upgradeOf = await signed(stranger, {
      method: 'GET',
      path: paths.ssh(provider, 'web'),
      epoch: nextEpoch(),
    });
    await send(unsigned);
    await upgrade({ ...upgradeOf, url: `${upgradeOf.url}?x` });
    const after = await Promise.all(
      [env.HUB, env.LIMITER, env.RELAY].map((objects) => listDurableObjectIds(objects)),
    );
    expect(after.flat().map(String)).toEqual(before.flat().map(String));
  });
});

describe('bad input', () => {
  it('is refused while it is read when it is too large', async () => {
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(16 * 1024));
      },
    });
    const response = await exports.default.fetch(ORIGIN + paths.vms(provider), {
      method: 'POST',
      body: endless,
    });
    expect(response.status).toBe(413);
    expect(await codeOf(response)).toBe('payload_too_large');
    const largest = await send(await create(' '.repeat(LIMITS.request.bodyBytes)));
    expect(await codeOf(largest)).toBe('provider_not_found');
  });

  it('is refused when it is no text', async () => {
    const response = await exports.default.fetch(ORIGIN + paths.vms(provider), {
      method: 'POST',
      body: new Uint8Array([0xff, 0xfe]),
    });
    expect(await codeOf(response)).toBe('invalid_request');
  });

  it.each(['gp_x', 'x', 'gr_aaaaaaaaaaaaaaaaaaaaaaaaaa', '--help'])(
    'is refused as a provider: %s',
    async (id) => {
      const response = await send(await signed(requestor, { method: 'GET', path: paths.vms(id) }));
      expect(await codeOf(response)).toBe('invalid_request');
    },
  );

  it.each(['-rf', 'Web', '..%2f..', 'a b', 'x'.repeat(41)])(
    'is refused as a VM: %s',
    async (vm) => {
      const path = paths.ssh(provider, vm);
      const response = await upgrade(
        await signed(requestor, { method: 'GET', path, epoch: nextEpoch() }),
      );
      expect(await codeOf(response)).toBe('invalid_request');
    },
  );

  it('is refused on a WebSocket route without an upgrade', async () => {
    for (const path of [paths.agent, paths.ssh(provider, 'web'), paths.relay('0'.repeat(64))]) {
      const response = await send(
        await signed(requestor, { method: 'GET', path, epoch: nextEpoch() }),
      );
      expect(await codeOf(response)).toBe('invalid_request');
    }
  });
});

describe('a key that asks too often', () => {
  it('is told when to come back, and nobody else is', async () => {
    const eager = await generateIdentity('provider');
    let refused: Response | undefined;
    for (let n = 0; n <= DEFAULT_RATES.connect.burst * 2 && !refused; n++) {
      const response = await connectAgent(eager, { epoch: 1 });
      if (response.status === 429) refused = response;
      else response.webSocket?.accept();
    }
    expect(refused?.headers.get('retry-after')).toBe('1');
    expect(await refused?.json()).toMatchObject({
      error: { code: 'rate_limited', retryable: true, retryAfter: 1 },
    });
    expect((await connectAgent(await generateIdentity('provider'))).status).toBe(101);
  });
});
