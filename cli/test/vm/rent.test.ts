/** What a VM would cost and who would take it; and what is said of the wish itself. */
import { paths } from '@vm-on-golem/shared/api';
import type { Vm } from '@vm-on-golem/shared/vm';
import { GolemError } from '@vm-on-golem/shared/errors';
import { http, HttpResponse } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { create } from '../../src/commands/vm/create.ts';
import { estimate } from '../../src/commands/vm/estimate.ts';
import { providers } from '../../src/commands/vm/providers.ts';
import { isOrdered } from '../../src/sdk/own/ordered.ts';
import { contextOf, type TestContext } from '../context.ts';
import { DISCOVERY, OPERATION, pageOf, serve, server, TestProvider, vmOf } from '../network.ts';

let cheap: TestProvider;
let dear: TestProvider;
let here: TestContext;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  [cheap, dear] = [await TestProvider.create('cheap'), await TestProvider.create('dear')];
  for (const provider of [cheap, dear]) {
    provider.answer = ({ method, path }) => {
      if (method === 'POST')
        return { status: 202, body: { operation: OPERATION, vm: vmOf({ state: 'creating' }) } };
      return { status: 200, body: path.includes('/operations/') ? pageOf() : vmOf() };
    };
  }
  serve(cheap, dear);
  here = await contextOf();
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

test('an estimate has the price of the whole time, the cheapest first', async () => {
  await expect(here.run(estimate, '--for', '90m')).resolves.toMatchObject([
    { name: 'cheap', seconds: 5_400, hourlyPriceNanoUsd: 1_000_000, totalNanoUsd: 1_500_000 },
    { name: 'dear', hourlyPriceNanoUsd: 2_000_000, totalNanoUsd: 3_000_000 },
  ]);
  await expect(here.run(estimate, '--limit', '1')).resolves.toHaveLength(1);
});

/** As discovery does: only those below the limit. */
function filtersByPrice(): string[] {
  const asked: string[] = [];
  server.use(
    http.get(`${DISCOVERY}${paths.providers}`, async ({ request }) => {
      const limit = new URL(request.url).searchParams.get('maxHourlyPrice');
      asked.push(limit ?? 'none');
      const rows = [await cheap.row(1_000_000), await dear.row(2_000_000)];
      const below = rows.filter((row) => limit === null || row.hourlyPrice <= Number(limit));
      return HttpResponse.json({ providers: below, next: null });
    }),
  );
  return asked;
}

test('who would pay too little is told what the cheapest asks', async () => {
  filtersByPrice();
  const asked = here.run(create, 'web', '--max-price', '0.0001');
  await expect(asked).rejects.toMatchObject({
    code: 'no_match',
    message: 'No provider offers this for $0.000100 an hour. The cheapest, cheap, asks $0.001000.',
    hint: 'Pay that much (--max-price 0.001000), or ask for less.',
  });
  expect(await here.context.book.all()).toEqual([]);
});

test('of a wish that is not about money it is not said', async () => {
  server.use(
    http.get(`${DISCOVERY}${paths.providers}`, () =>
      HttpResponse.json({ providers: [], next: null }),
    ),
  );
  const asked = here.run(create, 'web', '--max-price', '0.0001');
  await expect(asked).rejects.toMatchObject({
    code: 'no_match',
    message: 'No provider offers this.',
  });
});

test('a life is sent with the creation, and its price is in a dry run', async () => {
  await expect(here.run(create, 'web', '--ttl', '2h', '--dry-run')).resolves.toMatchObject({
    ...{ ttlSeconds: 7_200, totalNanoUsd: 2_000_000 },
  });
  expect(cheap.asked).toEqual([]);
  await here.run(create, 'web', '--ttl', '2h', '--label', 'kind=ci');
  expect(JSON.parse(cheap.asked[0]?.body ?? '')).toMatchObject({
    ...{ ttlSeconds: 7_200, labels: { kind: 'ci' } },
  });
  const { labels } = JSON.parse(cheap.asked[0]?.body ?? '') as { labels: Vm['labels'] };
  const identity = await here.context.client.identity();
  expect(await isOrdered([identity], cheap.id, { name: 'web', labels })).toBe(true);
  await expect(here.run(create, 'other', '--ttl', '1s')).rejects.toMatchObject({ code: 'usage' });
});

test.each([
  ['more labels than there is room for', Array.from({ length: 16 }, (_, at) => `n${at}=1`)],
  ['a label that golem sets', ['golem/ordered=1']],
])('%s are asked of nobody, and leave nothing behind', async (_what, labels) => {
  const words = labels.flatMap((label) => ['--label', label]);
  await expect(here.run(create, 'web', ...words)).rejects.toMatchObject({
    code: 'invalid_request',
  });
  expect(cheap.asked).toEqual([]);
  expect(await here.context.book.all()).toEqual([]);
});

test('two creations of one name at once are one VM, and one refusal', async () => {
  const both = await Promise.allSettled([here.run(create, 'web'), here.run(create, 'web')]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const [refused] = both.filter((each) => each.status === 'rejected');
  expect(refused?.reason).toMatchObject({ code: 'vm_exists' });
  expect(cheap.asked.filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('providers are listed by image and driver, page by page', async () => {
  const listed = await here.run(providers, '--image', 'debian-12', '--driver', 'memory');
  expect(listed.providers.map(({ name }) => name)).toEqual(['cheap', 'dear']);
  const none = await here.run(providers, '--image', 'arch');
  expect(none.providers).toEqual([]);
  await expect(here.run(providers, '--driver', 'vmware')).rejects.toMatchObject({ code: 'usage' });

  const cursors: (string | null)[] = [];
  server.use(
    http.get(`${DISCOVERY}${paths.providers}`, async ({ request }) => {
      const cursor = new URL(request.url).searchParams.get('cursor');
      cursors.push(cursor);
      const row = await (cursor === null ? cheap : dear).row(1);
      return HttpResponse.json({ providers: [row], next: cursor === null ? 'more' : null });
    }),
  );
  const one = await here.run(providers, '--limit', '1');
  expect(one.providers.map(({ name }) => name)).toEqual(['cheap']);
  expect(here.notes.at(-1)).toBe('golem: there are more: --cursor more');
  const rest = await here.run(providers, '--cursor', 'more');
  expect(rest.providers.map(({ name }) => name)).toEqual(['dear']);
  expect(cursors).toEqual([null, 'more']);
});

describe('a provider that is full', () => {
  /** As discovery does: whoever is full has room for nothing but nothing. */
  const isFull = () =>
    server.use(
      http.get(`${DISCOVERY}${paths.providers}`, async ({ request }) => {
        const isAny = new URL(request.url).searchParams.get('cpus') === '0';
        const rows = isAny ? [await cheap.row(1_000_000)] : [];
        return HttpResponse.json({ providers: rows, next: null });
      }),
    );

  test('is found by the beginning of its id, and says itself that it is full', async () => {
    isFull();
    cheap.answer = () => {
      throw new GolemError('no_capacity', 'There is no room.');
    };
    const asked = here.run(create, 'web', '--provider', cheap.id.slice(0, 15));
    await expect(asked).rejects.toMatchObject({
      ...{ code: 'no_capacity', message: 'There is no room.' },
    });
    await expect(
      here.run(create, 'web', '--provider', `gp_${'a'.repeat(12)}`),
    ).rejects.toMatchObject({
      message: `No provider that takes VMs begins with gp_${'a'.repeat(12)}.`,
      hint: 'One that is full, or offline, is found by its whole id.',
    });
  });

  test('is counted where nobody has room, and listed for who wants all', async () => {
    isFull();
    const found = await here.run(providers, '--max-price', '0.0001');
    expect(found).toMatchObject({ providers: [], others: 1 });
    expect(providers.present?.(found).table?.empty).toBe(
      'No provider has room for this now. One more is online, but is full or too dear: golem vm providers --all',
    );
    const all = await here.run(providers, '--all');
    // For the size that was asked for, though discovery was asked for none.
    expect(all.providers).toMatchObject([{ name: 'cheap', hourlyPriceNanoUsd: 1_000_000 }]);
    const below = await here.run(providers, '--all', '--max-price', '0.0001');
    expect(below.providers).toEqual([]);
    expect(providers.present?.(all).table?.rows[0]?.at(-1)).toBe('debian-12');
  });

  test('is no answer to a dry run', async () => {
    const size = ['--cpu', '8', '--provider', cheap.id];
    await expect(here.run(create, 'web', '--dry-run', ...size)).rejects.toMatchObject({
      ...{ code: 'no_capacity', message: 'cheap is online, but has no room for this now.' },
    });
  });
});

test('a dry run says whom it would ask, and that nothing was rented', async () => {
  const dry = await here.run(create, 'web', '--ttl', '2h', '--dry-run');
  expect(here.notes).toEqual(['Nothing was rented: this was a dry run.']);
  const facts = new Map(create.present?.(dry).facts);
  expect([...facts.keys()]).toEqual([
    'would ask',
    'image',
    'cpus',
    'memory',
    'disk',
    'price',
    'total',
  ]);
  expect(facts.get('would ask')).toBe(`cheap (${cheap.id})`);
});

test('who wants an image that nobody offers is told those that there are', async () => {
  await expect(here.run(create, 'web', '--image', 'nosuch')).rejects.toMatchObject({
    code: 'no_match',
    message: 'No provider with room for this offers the image nosuch.',
    hint: 'They offer: debian-12.',
  });
  expect(cheap.asked).toEqual([]);
});
