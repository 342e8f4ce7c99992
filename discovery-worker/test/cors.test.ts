/** Whose pages may read answers: nobody's, unless the service is set up so. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { paths } from '@vm-on-golem/shared/api';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { describe, expect, it } from 'vitest';
import { app } from '../src/app.ts';
import type { Env } from '../src/env.ts';
import { connectAgent, ORIGIN, signed } from './parties.ts';

const PAGE = 'https://app.example';

async function fetchWith(
  origins: readonly string[],
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const context = createExecutionContext();
  const settings: Env = { ...env, CORS_ORIGINS: origins };
  const headers = { origin: PAGE, ...init.headers };
  const request = new Request(ORIGIN + path, { ...init, headers });
  const response = await app.fetch(request, settings, context);
  await waitOnExecutionContext(context);
  return response;
}

const words = (response: Response, header: string) =>
  (response.headers.get(header) ?? '').toLowerCase().split(',').filter(Boolean).sort();

const preflight = {
  method: 'OPTIONS',
  headers: {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'signature,signature-input,content-digest,content-type',
  },
};

describe('by default', () => {
  it('no page of another origin is let in', async () => {
    for (const [path, init] of [
      [paths.providers, {}],
      ['/nowhere', {}],
      [paths.providers, preflight],
    ] as const) {
      const response = await fetchWith([], path, init);
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-'))).toEqual([]);
    }
  });
});

describe('with an origin', () => {
  it('its pages alone read answers, errors included', async () => {
    for (const path of ['/healthz', paths.providers, '/nowhere', paths.vms('gp_nonsense')]) {
      const response = await fetchWith([PAGE], path);
      expect(response.headers.get('access-control-allow-origin')).toBe(PAGE);
      expect(words(response, 'access-control-expose-headers')).toEqual([
        'content-digest',
        'golem-protocol',
        'golem-request-id',
        'retry-after',
        'signature',
        'signature-input',
      ]);
      const other = await fetchWith(['https://other.example'], path);
      expect(other.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('may send signed requests', async () => {
    const { id } = await generateIdentity('provider');
    const response = await fetchWith([PAGE], paths.vms(id), preflight);
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(words(response, 'access-control-allow-methods')).toEqual(['delete', 'get', 'post']);
    expect(words(response, 'access-control-allow-headers')).toEqual([
      'content-digest',
      'content-type',
      'golem-epoch',
      'golem-idempotency-key',
      'golem-protocol',
      'signature',
      'signature-input',
    ]);
  });

  it('gets the answer of a provider with nothing changed', async () => {
    const requestor = await generateIdentity('requestor');
    const { id } = await generateIdentity('provider');
    const request = await signed(requestor, { method: 'GET', path: paths.vms(id) });
    const response = await fetchWith([PAGE], paths.vms(id), { headers: request.headers });
    expect(response.status).toBe(404);
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(await response.json()).toMatchObject({ error: { code: 'provider_not_found' } });
  });
});

it('all origins are one word, and never come with credentials', async () => {
  const response = await fetchWith(['*'], paths.providers);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
});

it('sockets open as before', async () => {
  const identity = await generateIdentity('provider');
  const response = await connectAgent(identity, { headers: { origin: PAGE } });
  expect(response.status).toBe(101);
  response.webSocket?.accept();
  response.webSocket?.close(1000);
});

it.each(['https://app.example/', 'app.example', 'https://app.example/path', 'null', ''])(
  '%j is no origin, and the service says so',
  async (origin) => {
    const response = await fetchWith([origin], '/healthz');
    expect(response.status).toBe(500);
  },
);
