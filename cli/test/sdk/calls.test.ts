/** What every call of the SDK keeps to: its deadline over all that it does, and the wire's words. */
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { wireCommand, type VmCommand } from '../../src/sdk/vms/commands.ts';
import {
  clientOf,
  failure,
  OPERATION,
  pageOf,
  serve,
  server,
  TestProvider,
  vmOf,
} from '../network.ts';

const { signal } = new AbortController();
let provider: TestProvider;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
afterEach(() => server.resetHandlers());
beforeEach(async () => {
  provider = await TestProvider.create('attic');
  serve(provider);
});

/** Waits for ever, as somebody does whom no deadline ends. */
const sleep = (_: number, until: AbortSignal) =>
  new Promise<void>((_resolve, reject) => {
    const end = () => reject(until.reason as Error);
    if (until.aborted) end();
    else until.addEventListener('abort', end);
  });

describe('a deadline', () => {
  const busy = () =>
    failure(new GolemError('rate_limited', undefined, { retryAfter: 30 }), { 'retry-after': '30' });

  test('ends the wait before another try, too', async () => {
    provider.network = busy;
    const { client } = await clientOf({ sleep });
    const asked = client.vms.get(provider.id, 'web', { signal, deadlineMillis: 1_000 });
    await expect(asked).rejects.toMatchObject({
      ...{ code: 'provider_timeout', message: 'No answer within 1 s.' },
    });
    expect(provider.asked).toHaveLength(1);
  });

  test('ends a command whose outcome is asked for again and again', async () => {
    provider.network = () => failure(new GolemError('link_lost'));
    const { client } = await clientOf({ sleep });
    const sent = client.vms.send(provider.id, 'web', 'stop', { signal, deadlineMillis: 1_000 });
    await expect(sent).rejects.toMatchObject({ code: 'provider_timeout' });
  });

  test('ends an operation that goes on and on', async () => {
    provider.answer = ({ method }) =>
      method === 'POST'
        ? { status: 202, body: { operation: OPERATION, vm: vmOf() } }
        : { status: 200, body: pageOf({ state: 'running', events: [] }) };
    const { client } = await clientOf({ sleep });
    const changed = client.change(provider.id, 'web', 'stop', { signal, deadlineMillis: 1_000 });
    await expect(changed).rejects.toMatchObject({ code: 'provider_timeout' });
  });

  test('is not needed to be stopped', async () => {
    provider.network = busy;
    const stop = new AbortController();
    const { client } = await clientOf({ sleep });
    const asked = client.vms.get(provider.id, 'web', {
      signal: stop.signal,
      deadlineMillis: 60_000,
    });
    stop.abort(new GolemError('interrupted'));
    await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('a rediscovery', () => {
  test('has what each provider says, or why it does not', async () => {
    const [gone, late] = [await TestProvider.create('gone'), await TestProvider.create('late')];
    provider.answer = () => ({ status: 200, body: { vms: [vmOf()], next: null } });
    gone.network = () => failure(new GolemError('provider_offline'));
    gone.row = TestProvider.prototype.row.bind(gone, 1, false);
    late.network = () =>
      failure(new GolemError('provider_offline', undefined, { retryAfter: 30 }), {});
    server.resetHandlers();
    serve(provider, gone, late);
    const { client } = await clientOf({ sleep });
    const found = await client.rediscover({
      providers: [provider.id, gone.id, late.id, provider.id],
      ...{ signal, deadlineMillis: 1_500 },
    });
    expect(found).toMatchObject([
      { provider: provider.id, vms: [{ name: 'web' }] },
      {
        provider: gone.id,
        error: { code: 'provider_offline' },
        offlineSince: '2026-01-01T00:00:00.000Z',
      },
      { provider: late.id, error: { code: 'provider_timeout' } },
    ]);
    expect(found).toHaveLength(3);
    expect(provider.asked).toHaveLength(1);
  });
});

const P = '/v1/providers/gp_x/vms/vm_y';
const resources = { cpus: 2, memoryMiB: 2048, storageGiB: 20 };
test.each<[VmCommand, string, string?]>([
  ['start', `POST ${P}/start`],
  ['stop', `POST ${P}/stop`],
  ['restart', `POST ${P}/restart`],
  ['suspend', `POST ${P}/suspend`],
  ['destroy', `DELETE ${P}`],
  [
    { resize: { resources, maxHourlyPrice: 7 } },
    `POST ${P}/resize`,
    JSON.stringify({ resources, maxHourlyPrice: 7 }),
  ],
  [{ snapshot: 'before' }, `POST ${P}/snapshots`, '{"name":"before"}'],
  [{ restore: 'before' }, `POST ${P}/snapshots/before/restore`],
  [{ deleteSnapshot: 'before' }, `DELETE ${P}/snapshots/before`],
])('%j on the wire', (command, line, body) => {
  const { method, path, body: said } = wireCommand('gp_x', 'vm_y', command);
  expect([`${method} ${path}`, said]).toEqual([line, body]);
});

describe('events', () => {
  const eventOf = (n: number, kind = 'up') => ({
    ...{ n, kind, at: '2026-01-01T00:00:00.000Z', by: 'guest' as const },
  });

  test('are followed across lost links until nothing can come any more', async () => {
    const pages = [
      [eventOf(1), eventOf(2)],
      'lost',
      [],
      [eventOf(2), eventOf(3, 'destroy.done'), eventOf(4)],
    ] as const;
    const page = () => pages[provider.asked.length - 1];
    provider.answer = () => ({ status: 200, body: { events: page() } });
    provider.network = (answer) =>
      page() === 'lost' ? failure(new GolemError('link_lost')) : new Response(answer.body, answer);
    const { client } = await clientOf();
    const seen: number[] = [];
    for await (const { n } of client.events.follow(provider.id, vmOf().id, { signal }))
      seen.push(n);
    expect(seen).toEqual([1, 2, 3]);
    const queries = provider.asked.map(({ url }) => new URL(url).searchParams.get('after'));
    expect(queries).toEqual(['0', '2', '2', '2']);
    expect(provider.asked[0]?.url).toContain(paths.vmPart(provider.id, vmOf().id, 'events'));
  });

  test('end when nobody wants to hear more', async () => {
    provider.answer = () => ({ status: 200, body: { events: [] } });
    const stop = new AbortController();
    const { client } = await clientOf({
      sleep: async () => stop.abort(new GolemError('interrupted')),
    });
    const next = client.events.follow(provider.id, vmOf().id, { signal: stop.signal }).next();
    await expect(next).rejects.toMatchObject({ code: 'interrupted' });
  });
});
