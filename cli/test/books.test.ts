/** What providers have written down, page by page. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { UsageRecord, VmEvent } from '@vm-on-golem/shared/vm-records';
import { http, HttpResponse } from 'msw';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { events } from '../src/commands/vm/events.ts';
import { cost } from '../src/commands/vm/cost.ts';
import { costTable } from '../src/presenters/costs.ts';
import { contextOf, type TestContext } from './context.ts';
import { DISCOVERY, failure, serve, server, TestProvider, vmOf } from './network.ts';

let provider: TestProvider;
let here: TestContext;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  provider = await TestProvider.create('attic');
  serve(provider);
  here = await contextOf();
  await here.context.book.put({ name: 'web', provider: provider.id, vm: vmOf(), sshKey: '/k' });
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const asked = () => provider.asked.map(({ url }) => new URL(url).search);

const eventOf = (n: number): VmEvent => ({
  ...{ n, at: '2026-01-01T00:00:00.000Z', kind: 'up', by: 'guest' },
});

test('events are read to the last one, by name or by address', async () => {
  const all = Array.from({ length: 450 }, (_, at) => eventOf(at + 1));
  provider.answer = () => {
    const { searchParams } = new URL(provider.asked.at(-1)?.url ?? '');
    const [after, limit] = [Number(searchParams.get('after')), Number(searchParams.get('limit'))];
    return { status: 200, body: { events: all.slice(after, after + limit) } };
  };
  await expect(here.run(events, 'web')).resolves.toEqual(all);
  expect(asked()).toEqual(['?after=0&limit=200', '?after=200&limit=200', '?after=400&limit=200']);
  await expect(here.run(events, `${provider.id}/${vmOf().id}`)).resolves.toHaveLength(450);
});

test('a provider that says the same for ever is not heard for ever', async () => {
  const page = Array.from({ length: 200 }, (_, at) => eventOf(at + 1));
  provider.answer = () => ({ status: 200, body: { events: page } });
  await expect(here.run(events, 'web')).resolves.toHaveLength(200);
  provider.answer = () => ({ status: 200, body: { records: [], next: 'again', total: 1 } });
  provider.asked.length = 0;
  await here.run(cost);
  expect(asked()).toEqual(['', '?cursor=again']);
});

test('usage is summed exactly, VM by VM, and the total is the provider’s', async () => {
  const record = (change: Partial<UsageRecord>): UsageRecord => ({
    vmId: vmOf().id,
    name: 'web',
    owner: `gr_${'a'.repeat(26)}`,
    from: '2026-01-01T00:00:00.000Z',
    to: '2026-01-01T00:00:00.001Z',
    running: true,
    resources: vmOf().resources,
    hourlyPrice: 1_800_000,
    amount: 0,
    ...change,
  });
  const gone = `vm_${'g'.repeat(20)}`;
  const hour = '2026-01-01T01:00:00.000Z';
  const pages = [
    // Half a nano-dollar each: nothing one by one, and one together.
    { records: [record({}), record({})], next: 'more', total: 99 },
    {
      records: [
        record({ vmId: gone, name: 'old', to: hour, running: false, hourlyPrice: 7 }),
        record({ vmId: gone, name: 'old', to: hour, running: false, hourlyPrice: 0 }),
      ],
      next: null,
      total: 99,
    },
  ];
  provider.answer = () => ({ status: 200, body: pages.shift() });
  const said = await here.run(cost);
  expect(said).toEqual([
    {
      provider: provider.id,
      totalNanoUsd: 99,
      unrecordedNanoUsd: 91,
      vms: [
        {
          ...{ id: vmOf().id, name: 'web', storedHours: 0, recordedNanoUsd: 1 },
          ...{ runningHours: 2 / 3_600_000, recordedUntil: '2026-01-01T00:00:00.001Z' },
        },
        {
          ...{ id: gone, name: 'old', runningHours: 0, storedHours: 1, recordedNanoUsd: 7 },
          recordedUntil: hour,
        },
      ],
    },
  ]);
  expect(costTable(said).table?.rows).toHaveLength(2);
  expect(here.notes).toEqual(['All up to now: $0.000000']);
  provider.answer = () => ({ status: 200, body: { records: [], next: null, total: 0 } });
  provider.asked.length = 0;
  await here.run(cost, 'web');
  expect(asked()).toEqual([`?vm=${vmOf().id}`]);
});

test('rows add up to the total: what is in no record yet has one', async () => {
  provider.answer = () => ({ status: 200, body: { records: [], next: null, total: 86_400 } });
  const said = await here.run(cost);
  expect(said).toMatchObject([{ unrecordedNanoUsd: 86_400, vms: [] }]);
  expect(costTable(said).table?.rows).toEqual([
    ['(not recorded yet)', '-', '-', '$0.000086', provider.id, '-'],
  ]);
  expect(here.notes).toEqual(['All up to now: $0.000086']);
});

test('who has had nothing is told of no sum', async () => {
  provider.answer = () => ({ status: 200, body: { records: [], next: null, total: 0 } });
  expect(costTable(await here.run(cost)).table?.rows).toEqual([]);
  expect(here.notes).toEqual([]);
});

describe('a VM that is gone', () => {
  const older = `vm_${'g'.repeat(20)}`;
  const newer = `vm_${'h'.repeat(20)}`;
  const recordOf = (vmId: string, to: string): UsageRecord => ({
    ...{
      vmId,
      name: 'ci',
      owner: `gr_${'a'.repeat(26)}`,
      running: true,
      hourlyPrice: 7,
      amount: 7,
    },
    ...{ from: '2026-01-01T00:00:00.000Z', to, resources: vmOf().resources },
  });
  beforeEach(() => {
    const records = [
      recordOf(newer, '2026-01-03T00:00:00.000Z'),
      recordOf(older, '2026-01-02T00:00:00.000Z'),
    ];
    provider.answer = ({ path }) =>
      path.endsWith('/events')
        ? { status: 200, body: { events: [eventOf(1)] } }
        : { status: 200, body: { records, next: null, total: 14 } };
  });

  test('is found by its name, the latest of several', async () => {
    await expect(here.run(events, 'ci')).resolves.toEqual([eventOf(1)]);
    expect(new URL(provider.asked.at(-1)?.url ?? '').pathname).toContain(newer);
    expect(here.notes).toEqual([`'ci' is gone: the latest of 2 was ${provider.id}/${newer}`]);
  });

  test('is found by its id, and its cost by either', async () => {
    await here.run(cost, older);
    expect(asked()).toEqual(['', `?vm=${older}`]);
    expect(here.notes[0]).toBe(`'${older}' is gone: it was ${provider.id}/${older}`);
  });

  test('is none that nobody has written anything down about', async () => {
    await expect(here.run(events, 'nope')).rejects.toMatchObject({ code: 'vm_not_found' });
  });

  test('is not looked for where one of that name is there', async () => {
    await here.run(cost, 'web');
    expect(asked()).toEqual([`?vm=${vmOf().id}`]);
  });
});

test('costs of where nothing is rented any more are found by the key', async () => {
  server.use(
    http.get(`${DISCOVERY}/v1/requestors/:requestor/providers`, () =>
      HttpResponse.json({
        providers: [{ provider: provider.id, seenAt: '2026-01-01T00:00:00.000Z' }],
        next: null,
      }),
    ),
  );
  await here.context.book.remove('web');
  provider.answer = () => ({ status: 200, body: { records: [], next: null, total: 5 } });
  await expect(here.run(cost)).resolves.toMatchObject([{ provider: provider.id, totalNanoUsd: 5 }]);
});

test('a provider that does not answer keeps nobody from the costs of the others', async () => {
  const lost = await TestProvider.create('lost');
  lost.network = () => failure(new GolemError('provider_offline'));
  server.resetHandlers();
  serve(provider, lost);
  await here.context.book.put({
    ...{ name: 'db', provider: lost.id, vm: vmOf({ id: `vm_${'d'.repeat(20)}`, name: 'db' }) },
  });
  provider.answer = () => ({ status: 200, body: { records: [], next: null, total: 5 } });
  await expect(here.run(cost)).resolves.toHaveLength(1);
  expect(here.notes[0]).toContain(`${lost.id.slice(0, 15)} is not in it`);
  await here.context.book.remove('web');
  await expect(here.run(cost)).rejects.toMatchObject({ code: 'provider_offline' });
});
