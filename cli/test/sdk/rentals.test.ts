/** What everybody who keeps rentals has to do, and what the SDK does with them when programs race. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MemoryRentals } from '../../src/sdk/memory-rentals.ts';
import type { Rental, Rentals } from '../../src/sdk/ports.ts';
import { VmBook } from '../../src/state/book.ts';
import {
  clientOf,
  failure,
  OPERATION,
  pageOf,
  serve,
  server,
  TestProvider,
  vmOf,
  type Answerer,
} from '../network.ts';

const PROVIDER = `gp_${'a'.repeat(26)}`;
const { signal } = new AbortController();

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golem-rentals-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe.each<[string, () => Rentals]>([
  ['in memory', () => new MemoryRentals()],
  ['in files', () => new VmBook(folder)],
])('rentals %s', (_, open) => {
  const web: Rental = { name: 'web', provider: PROVIDER, sshKey: '/k', vm: vmOf() };
  const kept = async (rentals: Rentals) => (await rentals.all()).map(({ name }) => name);

  test('have each name once', async () => {
    const rentals = open();
    const claims = Array.from({ length: 20 }, (__, at) =>
      rentals.claim('web', { ...web, sshKey: `/k${at}` }),
    );
    const won = (await Promise.all(claims)).map((isMine, at) => (isMine ? at : -1));
    expect(won.filter((at) => at >= 0)).toHaveLength(1);
    expect(await rentals.get('web')).toMatchObject({ sshKey: `/k${Math.max(...won)}` });
  });

  test('are in the order of their names', async () => {
    const rentals = open();
    for (const name of ['web', 'a', 'db']) await rentals.claim(name, { ...web, name });
    expect(await kept(rentals)).toEqual(['a', 'db', 'web']);
    expect(await rentals.get('nothing')).toBeUndefined();
  });

  test('change while they are the VM that is meant, and no other', async () => {
    const rentals = open();
    const stopped = (now: Rental) => ({ ...now, vm: vmOf({ state: 'stopped' }) });
    await rentals.update('web', vmOf().id, stopped);
    expect(await kept(rentals)).toEqual([]);
    await rentals.claim('web', web);
    await rentals.update('web', `vm_${'z'.repeat(20)}`, () => undefined);
    await rentals.update('web', undefined, () => undefined);
    expect(await rentals.get('web')).toMatchObject({ vm: { state: 'running' } });
    await rentals.update('web', vmOf().id, stopped);
    expect(await rentals.get('web')).toMatchObject({ vm: { state: 'stopped' } });
    await rentals.update('web', vmOf().id, () => undefined);
    expect(await kept(rentals)).toEqual([]);
  });
});

describe('with a provider', () => {
  let provider: TestProvider;
  beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
  afterAll(() => server.close());
  afterEach(() => server.resetHandlers());
  beforeEach(async () => {
    provider = await TestProvider.create('attic');
    serve(provider);
  });
  const here = (): Rental => ({ name: 'web', provider: provider.id, vm: vmOf() });
  const rents: Answerer = ({ method, path }) => {
    if (method === 'POST')
      return { status: 202, body: { operation: OPERATION, vm: vmOf({ state: 'creating' }) } };
    return { status: 200, body: path.includes('/operations/') ? pageOf() : vmOf() };
  };
  const wish = {
    ...{ name: 'web', sshKeys: [`ssh-ed25519 ${'A'.repeat(68)}`] },
    resources: { cpus: 1, memoryMiB: 1024, storageGiB: 10 },
  };

  test('a VM that is rented while a list is made is not taken for gone', async () => {
    const { client } = await clientOf();
    const rentals = new MemoryRentals([here()]);
    const other = vmOf({ id: `vm_${'n'.repeat(20)}`, name: 'new' });
    provider.answer = () => ({ status: 200, body: { vms: [], next: null } });
    provider.network = async (answer) => {
      // The provider has answered already, and not with this one.
      await rentals.claim('new', { name: 'new', provider: provider.id, vm: other });
      return new Response(answer.body, answer);
    };
    const found = await client.reconcile({ rentals, signal });
    expect(found).toMatchObject({ rentals: [], unknown: [] });
    expect((await rentals.all()).map(({ name }) => name)).toEqual(['new']);
  });

  test('a name that was given to another VM meanwhile is not forgotten', async () => {
    const { client } = await clientOf();
    const rentals = new MemoryRentals([here()]);
    const again = { ...here(), vm: vmOf({ id: `vm_${'n'.repeat(20)}` }) };
    provider.answer = () => ({ status: 200, body: { vms: [], next: null } });
    provider.network = async (answer) => {
      await rentals.update('web', vmOf().id, () => again);
      return new Response(answer.body, answer);
    };
    await client.reconcile({ rentals, signal });
    expect(await rentals.all()).toEqual([again]);
  });

  test('what is not remembered is told of', async () => {
    const { client } = await clientOf();
    provider.answer = () => ({ status: 200, body: { vms: [vmOf()], next: null } });
    const rentals = new MemoryRentals();
    await expect(
      client.reconcile({ rentals, providers: [provider.id], signal }),
    ).resolves.toMatchObject({ rentals: [], unknown: [{ provider: provider.id, vm: vmOf() }] });
  });

  test('a creation that is lost stays, and is settled by whoever comes next', async () => {
    const { client } = await clientOf();
    const rentals = new MemoryRentals();
    provider.answer = rents;
    provider.network = () => failure(new GolemError('link_lost'));
    await expect(client.rent(wish, { rentals, signal })).rejects.toMatchObject({
      code: 'link_lost',
    });
    const [lost] = await rentals.all();
    expect(lost).toMatchObject({ name: 'web', pending: { idempotencyKey: expect.any(String) } });
    provider.network = (answer) => new Response(answer.body, answer);
    const next = (await clientOf()).client;
    const ready = await next.settle(lost ?? here(), { rentals, signal });
    expect(ready).toMatchObject({ vm: { state: 'running' } });
    expect(await rentals.all()).toEqual([ready]);
    expect(ready).not.toHaveProperty('pending');
  });

  test('a creation that was refused leaves the name free', async () => {
    const { client } = await clientOf();
    const rentals = new MemoryRentals();
    provider.answer = () => {
      throw new GolemError('no_capacity', 'Full.');
    };
    await expect(client.rent(wish, { rentals, signal })).rejects.toMatchObject({
      message: 'Full.',
    });
    expect(await rentals.all()).toEqual([]);
  });

  test('a deadline ends the waiting, not the creation', async () => {
    const { client } = await clientOf({
      sleep: (_, until) =>
        until.aborted
          ? Promise.reject(until.reason)
          : new Promise((resolve) => setTimeout(resolve, 5)),
    });
    const rentals = new MemoryRentals();
    provider.answer = (request) =>
      request.path.includes('/operations/')
        ? { status: 200, body: pageOf({ state: 'running', events: [] }) }
        : rents(request);
    const asked = await client.rent(wish, { rentals, signal });
    const settled = client.settle(asked, { rentals, signal, deadlineMillis: 500 });
    await expect(settled).rejects.toMatchObject({ code: 'provider_timeout' });
    expect(await rentals.all()).toMatchObject([{ pending: { operation: OPERATION } }]);
  });

  test('a VM goes to the next key, or its provider is too old', async () => {
    const { client, identity } = await clientOf();
    const next = (await clientOf()).identity;
    provider.answer = ({ path, body }) => {
      expect(path).toBe(`/v1/providers/${provider.id}/succession`);
      expect(body).toMatchObject({ publicKey: next.publicKey });
      return { status: 200, body: { requestor: next.id, vms: 2 } };
    };
    const options = { signal };
    await expect(client.succession(provider.id, next, options)).resolves.toMatchObject({ vms: 2 });
    expect(identity.id).not.toBe(next.id);
    provider.answer = () => {
      throw new GolemError('not_found');
    };
    const refused = client.succession(provider.id, next, options);
    await expect(refused).rejects.toMatchObject({ code: 'incompatible' });
  });
});
