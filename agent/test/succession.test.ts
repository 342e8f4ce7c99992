/** One key of a requestor is followed by another: all that it has goes over, at once or not at all. */
import { paths, type VmsPage } from '@vm-on-golem/shared/api';
import type { Ending } from '@vm-on-golem/shared/closes';
import { errorBodySchema } from '@vm-on-golem/shared/error-body';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { signSuccession, type Succession } from '@vm-on-golem/shared/succession';
import { grantsSchema } from '@vm-on-golem/shared/vm-commands';
import { usagePageSchema, vmEventsPageSchema } from '@vm-on-golem/shared/vm-records';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Policy } from '../src/vms/policy.ts';
import {
  createBody,
  Requestor,
  scratchFolder,
  startProvider,
  type Answered,
  type TestProvider,
} from './provider.ts';

const HOUR = 3_600_000;
const { publicKey: sshKey } = await generateOpenSshKeyPair();
const BOUNDLESS = { vms: Infinity, cpus: Infinity, memoryMiB: Infinity };

let cleanup: AsyncDisposableStack;
let dir: string;
let provider: TestProvider;
let old: Requestor;
let next: Requestor;
let policy: Partial<Policy>;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  ({ path: dir } = cleanup.use(await scratchFolder()));
  policy = {};
  provider = cleanup.use(await start());
  old = await Requestor.of(provider);
  next = await Requestor.of(provider);
});
afterEach(() => cleanup.disposeAsync());

const start = () =>
  startProvider({
    dir,
    policy: () => ({
      access: 'public',
      ...{ allow: new Set<string>(), deny: new Set<string>() },
      ...{ perRequestor: BOUNDLESS, strangers: BOUNDLESS },
      ...policy,
    }),
  });

async function succeed(from = old, to = next, change: Partial<Succession> = {}): Promise<Answered> {
  const body = {
    ...(await signSuccession(provider.id, from.id, to.identity, provider.clock.now())),
    ...change,
  };
  return from.call('POST', paths.succession(provider.id), { body });
}

const codeOf = ({ body }: Answered) => errorBodySchema.parse(body).error.code;

async function namesOf(who: Requestor): Promise<string[]> {
  const { body } = await who.call('GET', paths.vms(provider.id));
  return (body as VmsPage).vms.map(({ name }) => name);
}

async function usageOf(who: Requestor) {
  const { body } = await who.call('GET', paths.usage(provider.id));
  return usagePageSchema.parse(body);
}

describe('the new key', () => {
  test('has the VMs, their history, their operations and what they have cost', async () => {
    const { id } = await old.running('web');
    const stop = await old.done('POST', paths.vmAction(provider.id, id, 'stop'));
    await old.running('db');
    const gone = await old.running('gone');
    provider.clock.advance(HOUR);
    await provider.vms.reconcile();
    await old.done('DELETE', paths.vm(provider.id, gone.id));
    const before = await usageOf(old);
    expect(before.total).toBeGreaterThan(0);

    const answer = await succeed();
    expect(answer).toMatchObject({ status: 200, body: { requestor: next.id, vms: 2 } });
    expect(await namesOf(next)).toEqual(['web', 'db']);
    expect(await namesOf(old)).toEqual([]);
    const after = await usageOf(next);
    expect(after.records).toEqual(before.records.map((record) => ({ ...record, owner: next.id })));
    expect(after.total).toBeGreaterThanOrEqual(before.total);
    expect(await usageOf(old)).toEqual({ records: [], next: null, total: 0 });

    const operation = paths.operation(provider.id, stop.id);
    expect((await next.call('GET', operation)).body).toMatchObject({ state: 'succeeded' });
    expect(codeOf(await old.call('GET', operation))).toBe('operation_not_found');
    const events = await next.call('GET', paths.vmPart(provider.id, id, 'events'));
    expect(vmEventsPageSchema.parse(events.body).events.at(-1)).toMatchObject({
      ...{ kind: 'succession', by: 'owner' },
    });
    const past = await next.call('GET', paths.vmPart(provider.id, gone.id, 'events'));
    expect(past.status).toBe(200);
    await next.done('POST', paths.vmAction(provider.id, id, 'start'));
    await next.done('DELETE', paths.vm(provider.id, 'db'));
  });

  test('goes on with what was under way', async () => {
    const { id } = await old.running('web');
    const answer = await old.call('POST', paths.vmAction(provider.id, id, 'restart'));
    const { operation } = answer.body as { operation: string };
    await succeed();
    expect(await next.follow(operation)).toMatchObject({ state: 'succeeded' });
    expect(provider.store.vms.get(id)).toMatchObject({ owner: next.id, phase: 'running' });
  });

  test('is let in where the old one was, and gets no grant to what is its own', async () => {
    const [friend, other] = [await Requestor.of(provider), await Requestor.of(provider)];
    const theirs = await friend.running('theirs');
    const mine = await old.running('mine');
    const grant = (by: Requestor, vm: string, to: Requestor) =>
      by.call('POST', paths.vmPart(provider.id, vm, 'grants'), {
        body: { requestor: to.id, sshKey },
      });
    await grant(friend, theirs.id, old);
    await grant(friend, theirs.id, next);
    await grant(old, mine.id, next);
    await grant(old, mine.id, other);
    await succeed();
    const grants = async (by: Requestor, vm: string) => {
      const { body } = await by.call('GET', paths.vmPart(provider.id, vm, 'grants'));
      return grantsSchema.parse(body).grants.map(({ requestor }) => requestor);
    };
    expect(await grants(friend, theirs.id)).toEqual([next.id]);
    expect(await grants(next, mine.id)).toEqual([other.id]);
    expect(await namesOf(next)).toEqual(['theirs', 'mine']);
    expect(await namesOf(old)).toEqual([]);
  });

  test('has it after a restart as well, and the books are still kept', async () => {
    const { id } = await old.running('web');
    await succeed();
    await provider[Symbol.asyncDispose]();
    provider = cleanup.use(await start());
    next = new Requestor(next.identity, provider);
    provider.clock.advance(HOUR);
    await provider.vms.reconcile();
    expect(provider.store.vms.get(id)?.owner).toBe(next.id);
    expect((await usageOf(next)).total).toBeGreaterThan(0);
    expect(() => provider.store.db.run('UPDATE usage_vms SET name = ?', 'x')).toThrow('only ever');
  });
});

test('sessions of the old key are cut, and nobody else’s', async () => {
  const cuts: [string, string | undefined, string][] = [];
  provider.cutBy({
    cut: (vmId: string, requestor: string | undefined, why: Ending) => {
      cuts.push([vmId, requestor, why.message]);
    },
  });
  const [one, two] = [await old.running('one'), await old.running('two')];
  await next.running('three');
  await succeed();
  expect(cuts).toEqual([one, two].map(({ id }) => [id, old.id, 'another key has taken over']));
});

test('asked again, with the same or another request, it has happened', async () => {
  await old.running('web');
  const body = await signSuccession(provider.id, old.id, next.identity, provider.clock.now());
  const ask = (idempotencyKey: string) =>
    old.call('POST', paths.succession(provider.id), { body, idempotencyKey });
  expect((await ask('key-number-1')).body).toEqual({ requestor: next.id, vms: 1 });
  expect((await ask('key-number-1')).body).toEqual({ requestor: next.id, vms: 1 });
  expect((await ask('key-number-2')).body).toEqual({ requestor: next.id, vms: 0 });
  // What the old key begins anew is not lost either.
  await old.running('late');
  expect((await ask('key-number-3')).body).toEqual({ requestor: next.id, vms: 1 });
  expect(await namesOf(next)).toEqual(['web', 'late']);
});

describe('nothing is moved', () => {
  let vm: string;
  beforeEach(async () => {
    ({ id: vm } = await old.running('web'));
  });
  const untouched = async () => {
    expect(await namesOf(old)).toEqual(['web']);
    expect(provider.store.vms.get(vm)?.owner).toBe(old.id);
    expect((await usageOf(old)).records.every(({ owner }) => owner === old.id)).toBe(true);
  };

  test('when a name would be there twice', async () => {
    await next.running('web');
    const answer = await succeed();
    expect(codeOf(answer)).toBe('vm_exists');
    await untouched();
  });

  test('without the consent of the new key, or to the same key', async () => {
    const stranger = await signSuccession(
      provider.id,
      next.id,
      next.identity,
      provider.clock.now(),
    );
    expect(codeOf(await succeed(old, next, { consent: stranger.consent }))).toBe('bad_signature');
    const elsewhere = (await generateIdentity('provider')).id;
    const { consent } = await signSuccession(
      elsewhere,
      old.id,
      next.identity,
      provider.clock.now(),
    );
    expect(codeOf(await succeed(old, next, { consent }))).toBe('bad_signature');
    expect(codeOf(await succeed(old, old))).toBe('invalid_request');
    const thief = await Requestor.of(provider);
    const body = await signSuccession(provider.id, old.id, thief.identity, provider.clock.now());
    const path = paths.succession(provider.id);
    expect(codeOf(await thief.call('POST', path, { body }))).toBe('bad_signature');
    await untouched();
  });

  test('by a consent that was given long ago', async () => {
    const body = await signSuccession(provider.id, old.id, next.identity, provider.clock.now());
    provider.clock.advance(HOUR);
    const answer = await old.call('POST', paths.succession(provider.id), { body });
    expect(codeOf(answer)).toBe('bad_signature');
    await untouched();
  });

  test.each([
    ['the old key is denied', () => ({ deny: new Set([old.id]) }), 'forbidden'],
    ['the new key is denied', () => ({ deny: new Set([next.id]) }), 'forbidden'],
    [
      'the new key is not listed',
      () => ({ access: 'listed' as const, allow: new Set([old.id]) }),
      'forbidden',
    ],
    [
      'strangers have no room for it',
      () => ({ allow: new Set([old.id]), strangers: { ...BOUNDLESS, vms: 0 } }),
      'no_capacity',
    ],
  ])('when %s', async (_, change, code) => {
    policy = change();
    expect(codeOf(await succeed())).toBe(code);
    await untouched();
  });

  test('when the new key would have more than one may', async () => {
    await next.running('db');
    policy = { perRequestor: { ...BOUNDLESS, vms: 1 } };
    expect(codeOf(await succeed())).toBe('no_capacity');
    await untouched();
  });

  test('unless a bound was lowered below what one key has by itself', async () => {
    await old.running('db');
    policy = { perRequestor: { ...BOUNDLESS, vms: 1 } };
    expect((await succeed()).status).toBe(200);
  });

  test('when it breaks in the middle', async () => {
    const { run } = provider.store.db;
    provider.store.db.run = (sql, ...values) => {
      if (sql.includes('vm_grants')) throw new Error('disk full');
      run.call(provider.store.db, sql, ...values);
    };
    expect(codeOf(await succeed())).toBe('internal');
    provider.store.db.run = run;
    await untouched();
    expect((await succeed()).status).toBe(200);
  });
});

test('an unsigned or a strange body is refused', async () => {
  const call = (body: unknown) => old.call('POST', paths.succession(provider.id), { body });
  expect(codeOf(await call({}))).toBe('invalid_request');
  expect(codeOf(await call(createBody('web')))).toBe('invalid_request');
});
