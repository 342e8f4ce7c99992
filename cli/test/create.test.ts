/** Renting a VM when things go well, and when they do not: nothing is lost, nothing done twice. */
import { readFile } from 'node:fs/promises';
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { HttpResponse } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { create } from '../src/commands/vm/create.ts';
import { wait } from '../src/commands/vm/wait.ts';
import { knownHostsFile } from '../src/openssh/known-hosts.ts';
import { contextOf, type TestContext } from './context.ts';
import {
  failure,
  HOST_KEY,
  OPERATION,
  pageOf,
  pass,
  serve,
  server,
  TestProvider,
  vmOf,
  type Answerer,
} from './network.ts';

let cheap: TestProvider;
let dear: TestProvider;
let here: TestContext;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  [cheap, dear] = [await TestProvider.create('cheap'), await TestProvider.create('dear')];
  cheap.answer = rents;
  dear.answer = rents;
  serve(cheap, dear);
  here = await contextOf();
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const rents: Answerer = ({ method, path }) => {
  if (method === 'POST') {
    return { status: 202, body: { operation: OPERATION, vm: vmOf({ state: 'creating' }) } };
  }
  return { status: 200, body: path.includes('/operations/') ? pageOf() : vmOf() };
};
const refuses =
  (error: GolemError): Answerer =>
  () => {
    throw error;
  };
const posts = (provider: TestProvider) => provider.asked.filter(({ method }) => method === 'POST');
const entry = () => here.context.book.get('web');

test('the cheapest provider is asked, and what it signed is remembered and pinned', async () => {
  await expect(here.run(create, 'web')).resolves.toMatchObject({
    name: 'web',
    state: 'running',
    provider: cheap.id,
  });
  expect(dear.asked).toEqual([]);
  expect(await entry()).toMatchObject({ provider: cheap.id, vm: { state: 'running' } });
  expect(await entry()).not.toHaveProperty('pending');
  expect(
    await readFile(knownHostsFile(here.context.paths, { provider: cheap.id, vm: vmOf() }), 'utf8'),
  ).toBe(`${vmOf().id}.${cheap.id} ${HOST_KEY}\n`);
  expect(here.stages).toEqual(['web: ready (0.0s)']);
  expect(here.notes.at(-1)).toBe('Go in with: golem vm ssh web');
});

test('it is remembered before it is sent', async () => {
  let remembered: unknown;
  cheap.network = async (answer, request) => {
    remembered ??= await entry();
    return pass(answer, request);
  };
  await here.run(create, 'web');
  expect(remembered).toMatchObject({
    provider: cheap.id,
    pending: { body: posts(cheap)[0]?.body },
  });
});

describe('a creation that is not waited for', () => {
  const run = () => here.run(create, 'web', '--no-wait');

  test('is asked for once all the same, as providers take back what nobody collects', async () => {
    await expect(run()).resolves.toMatchObject({ name: 'web', state: 'creating' });
    expect(cheap.asked.map(({ method, url }) => [method, new URL(url).pathname])).toEqual([
      ['POST', paths.vms(cheap.id)],
      ['GET', paths.vm(cheap.id, vmOf().id)],
    ]);
    expect(here.notes.join()).not.toContain('10 minutes');
  });

  test('says so when that could not be done, and remembers it', async () => {
    cheap.network = (answer, request) =>
      request.method === 'GET'
        ? failure(new GolemError('provider_not_found'))
        : pass(answer, request);
    await expect(run()).resolves.toMatchObject({ state: 'creating' });
    expect(here.notes.at(-1)).toContain('within 10 minutes: golem vm wait web');
    expect(await entry()).toMatchObject({ provider: cheap.id });
  });
});

test('a dry run asks nobody and remembers nothing', async () => {
  await expect(here.run(create, 'web', '--dry-run')).resolves.toMatchObject({
    id: null,
    provider: cheap.id,
    hourlyPriceNanoUsd: 1_000_000,
  });
  expect(cheap.asked).toEqual([]);
  expect(await entry()).toBeUndefined();
});

describe('the next provider is asked', () => {
  test.each([
    ...(['no_capacity', 'price_too_high', 'image_unknown', 'forbidden'] as const),
    ...(['provider_busy', 'clock_skew', 'rate_limited'] as const),
  ])('when the first one signs %s', async (code) => {
    cheap.answer = refuses(new GolemError(code, undefined, { retryAfter: 3_600 }));
    await expect(here.run(create, 'web')).resolves.toMatchObject({ provider: dear.id });
    expect(posts(cheap)).toHaveLength(1);
    expect(here.notes.join('\n')).toContain('web: cheap did not take it');
  });

  test('when discovery says that the first one is not there', async () => {
    cheap.network = () => failure(new GolemError('provider_offline'));
    await expect(here.run(create, 'web')).resolves.toMatchObject({ provider: dear.id });
  });

  test('but not when the first one was named', async () => {
    cheap.answer = refuses(new GolemError('no_capacity', 'Full.'));
    const created = here.run(create, 'web', '--provider', cheap.id);
    await expect(created).rejects.toMatchObject({ code: 'no_capacity', message: 'Full.' });
    expect(dear.asked).toEqual([]);
    expect(await entry()).toBeUndefined();
  });

  test('until none is left', async () => {
    cheap.answer = refuses(new GolemError('no_capacity'));
    dear.answer = refuses(new GolemError('no_capacity'));
    await expect(here.run(create, 'web')).rejects.toMatchObject({ code: 'no_match' });
    expect(await entry()).toBeUndefined();
  });
});

describe('an answer that is lost', () => {
  test('is asked for again: the same bytes, under the same key, to the same provider', async () => {
    let lost = 0;
    cheap.network = (answer, request) => {
      if (request.method !== 'POST' || (lost += 1) > 2) return pass(answer, request);
      return failure(new GolemError('link_lost'));
    };
    await expect(here.run(create, 'web')).resolves.toMatchObject({ provider: cheap.id });
    const sent = posts(cheap).map(({ body, headers }) => [body, headers['golem-idempotency-key']]);
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map(String)).size).toBe(1);
    expect(dear.asked).toEqual([]);
  });

  test('and never comes, leaves a VM that may be there, which nobody else is asked for', async () => {
    cheap.network = () => HttpResponse.error();
    await expect(here.run(create, 'web')).rejects.toMatchObject({ code: 'discovery_unreachable' });
    expect(dear.asked).toEqual([]);
    expect(here.notes.at(-1)).toMatch(/may have been created.*golem vm wait web/);
    const pending = await entry();
    expect(pending).toMatchObject({ provider: cheap.id });

    cheap.network = pass;
    await expect(here.run(wait, 'web')).resolves.toMatchObject({ state: 'running' });
    const keys = posts(cheap).map(({ headers }) => headers['golem-idempotency-key']);
    expect(new Set(keys)).toEqual(new Set([pending?.pending?.idempotencyKey]));
  });

  const BEFORE_IT_LOOKS = ['provider_busy', 'clock_skew', 'stale_request', 'rate_limited'] as const;
  test.each(BEFORE_IT_LOOKS)(
    'is unknown still when the provider signs %s, as it says that before it looks',
    async (code) => {
      cheap.network = (answer, request) =>
        posts(cheap).length > 1 ? pass(answer, request) : failure(new GolemError('link_lost'));
      cheap.answer = (request) => {
        if (posts(cheap).length === 1) return rents(request);
        throw new GolemError(code, undefined, { retryAfter: 3_600 });
      };
      await expect(here.run(create, 'web')).rejects.toThrow('Nobody knows yet');
      expect(dear.asked).toEqual([]);
      expect(await entry()).toMatchObject({ provider: cheap.id, pending: {} });

      // Nor does whoever waits for it take it for the last word.
      await expect(here.run(wait, 'web')).rejects.toMatchObject({ code });
      expect(await entry()).toMatchObject({ provider: cheap.id, pending: {} });
      cheap.answer = rents;
      await expect(here.run(wait, 'web')).resolves.toMatchObject({ state: 'running' });
      const keys = posts(cheap).map(({ headers }) => headers['golem-idempotency-key']);
      expect(new Set(keys).size).toBe(1);
    },
  );

  test('was asked for again and is refused: there is no VM, and another one takes it', async () => {
    cheap.network = (answer, request) =>
      posts(cheap).length > 1 ? pass(answer, request) : failure(new GolemError('link_lost'));
    cheap.answer = refuses(new GolemError('no_capacity'));
    await expect(here.run(create, 'web')).resolves.toMatchObject({ provider: dear.id });
  });

  test('of which the provider says that it was there before is not taken for refused', async () => {
    cheap.answer = refuses(new GolemError('replayed'));
    await expect(here.run(create, 'web')).rejects.toThrow('Nobody knows yet');
    expect(dear.asked).toEqual([]);
    expect(await entry()).toMatchObject({ provider: cheap.id, pending: {} });
  });

  test('is unknown still if the provider is offline by then', async () => {
    let asks = 0;
    cheap.network = () =>
      failure(new GolemError((asks += 1) === 1 ? 'link_lost' : 'provider_offline'));
    await expect(here.run(create, 'web')).rejects.toThrow('Nobody knows yet');
    expect(dear.asked).toEqual([]);
    expect(await entry()).toMatchObject({ pending: {} });
  });
});

describe('a creation', () => {
  test('that fails on the way is forgotten when nothing is left of it', async () => {
    const error = { code: 'internal', message: 'It did not boot.', retryable: false } as const;
    cheap.answer = (request) =>
      request.path.includes('/operations/')
        ? { status: 200, body: pageOf({ state: 'failed', vm: null, error }) }
        : rents(request);
    await expect(here.run(create, 'web')).rejects.toThrow('It did not boot.');
    expect(await entry()).toBeUndefined();
  });

  test('that takes too long goes on, and can be waited for', async () => {
    cheap.answer = (request) =>
      request.path.includes('/operations/')
        ? { status: 200, body: pageOf({ state: 'running', events: [] }) }
        : rents(request);
    const created = here.run(create, 'web', '--timeout', '0s');
    await expect(created).rejects.toMatchObject({ code: 'still_booting' });
    await expect(created).rejects.toHaveProperty('hint', expect.stringContaining('vm wait web'));
    expect(await entry()).toMatchObject({ pending: { operation: OPERATION } });
    cheap.answer = rents;
    await expect(here.run(wait, 'web')).resolves.toMatchObject({ state: 'running' });
  });

  test('that is interrupted goes on, too', async () => {
    cheap.network = (answer, request) => {
      if (request.method === 'GET') here.stop.abort(new GolemError('interrupted'));
      return pass(answer, request);
    };
    await expect(here.run(create, 'web')).rejects.toMatchObject({ code: 'interrupted' });
    expect(await entry()).toMatchObject({ pending: { operation: OPERATION } });
  });

  test('of a name that one has already is refused before anybody is asked', async () => {
    await here.run(create, 'web');
    const before = cheap.asked.length;
    await expect(here.run(create, 'web')).rejects.toMatchObject({ code: 'vm_exists' });
    expect(cheap.asked).toHaveLength(before);
  });
});
