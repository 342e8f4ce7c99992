/** VMs that are shared with other keys, their history, what they cost, and whom the provider serves. */
import { paths, type VmsPage } from '@vm-on-golem/shared/api';
import { errorBodySchema } from '@vm-on-golem/shared/error-body';
import type { MemoryFaults } from '../src/drivers/memory/faults.ts';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import type { Vm } from '@vm-on-golem/shared/vm';
import { grantsSchema } from '@vm-on-golem/shared/vm-commands';
import { usagePageSchema, vmEventsPageSchema, type VmEvent } from '@vm-on-golem/shared/vm-records';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT_LIMITS } from '../src/limits.ts';
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

let cleanup: AsyncDisposableStack;
let dir: string;
let provider: TestProvider;
let alice: Requestor;
let bob: Requestor;
let policy: Partial<Policy>;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  ({ path: dir } = cleanup.use(await scratchFolder()));
  policy = {};
  provider = cleanup.use(await start());
  alice = await Requestor.of(provider);
  bob = await Requestor.of(provider);
});
afterEach(() => cleanup.disposeAsync());

const BOUNDLESS = { vms: Infinity, cpus: Infinity, memoryMiB: Infinity };
const start = (at = dir) =>
  startProvider({
    dir: at,
    policy: () => ({
      access: 'public',
      ...{ allow: new Set<string>(), deny: new Set<string>() },
      ...{ perRequestor: BOUNDLESS, strangers: BOUNDLESS },
      ...policy,
    }),
  });

const codeOf = ({ body }: Answered) => errorBodySchema.parse(body).error.code;
const at = (vm: string, part: 'events' | 'grants' | 'console' | 'stats' | 'snapshots') =>
  paths.vmPart(provider.id, vm, part);
const share = (vm: string, requestor = bob.id) =>
  alice.call('POST', at(vm, 'grants'), { body: { requestor, sshKey } });
const unshare = (vm: string, requestor = bob.id) =>
  alice.call('DELETE', paths.grant(provider.id, vm, requestor));

async function events(who: Requestor, vm: string, query = ''): Promise<VmEvent[]> {
  const { status, body } = await who.call('GET', `${at(vm, 'events')}${query}`);
  expect(status).toBe(200);
  return vmEventsPageSchema.parse(body).events;
}
const kinds = (list: readonly VmEvent[]) => list.map(({ kind, by }) => `${kind} ${by}`);

async function usage(who: Requestor, query = '') {
  const { status, body } = await who.call('GET', `${paths.usage(provider.id)}${query}`);
  expect(status).toBe(200);
  return usagePageSchema.parse(body);
}

describe('a VM that is shared', () => {
  let vm: Vm;
  beforeEach(async () => {
    vm = await alice.running('web');
    await share(vm.id);
  });

  test('is seen by the other, who is told whose it is', async () => {
    const { body } = await bob.call('GET', paths.vms(provider.id));
    expect(body).toMatchObject({ vms: [{ id: vm.id, sharedBy: alice.id }], next: null });
    for (const ref of [vm.id, 'web']) {
      const seen = await bob.call('GET', paths.vm(provider.id, ref));
      expect(seen.body).toMatchObject({ id: vm.id, sharedBy: alice.id });
    }
    expect((await alice.call('GET', paths.vm(provider.id, 'web'))).body).not.toHaveProperty(
      'sharedBy',
    );
    for (const part of ['console', 'stats', 'snapshots', 'events'] as const) {
      expect((await bob.call('GET', at(vm.id, part))).status).toBe(200);
    }
    expect(provider.vms.queries.locate(bob.id, vm.id)).toBe(vm.id);
  });

  test('is nobody else’s', async () => {
    const carol = await Requestor.of(provider);
    expect(codeOf(await carol.call('GET', paths.vm(provider.id, vm.id)))).toBe('vm_not_found');
    for (const part of ['console', 'stats', 'snapshots', 'events', 'grants'] as const) {
      expect(codeOf(await carol.call('GET', at(vm.id, part)))).toBe('vm_not_found');
    }
  });

  test('is not changed by the other', async () => {
    const size = { cpus: 2, memoryMiB: 512, storageGiB: 5 };
    const refused = [
      ...(['start', 'stop', 'restart', 'suspend'] as const).map((action) =>
        bob.call('POST', paths.vmAction(provider.id, vm.id, action)),
      ),
      bob.call('POST', paths.vmAction(provider.id, vm.id, 'resize'), { body: { resources: size } }),
      bob.call('POST', paths.vmAction(provider.id, vm.id, 'renew'), { body: {} }),
      bob.call('POST', at(vm.id, 'snapshots'), { body: { name: 'one' } }),
      bob.call('DELETE', paths.snapshot(provider.id, vm.id, 'one')),
      bob.call('DELETE', paths.vm(provider.id, vm.id)),
      bob.call('DELETE', paths.vm(provider.id, 'web')),
      bob.call('GET', at(vm.id, 'grants')),
      bob.call('POST', at(vm.id, 'grants'), { body: { requestor: bob.id, sshKey } }),
      bob.call('DELETE', paths.grant(provider.id, vm.id, bob.id)),
    ];
    for (const answered of await Promise.all(refused)) expect(codeOf(answered)).toBe('forbidden');
    expect(provider.store.vms.get(vm.id)).toMatchObject({ phase: 'running', removing: false });
  });

  test('goes behind an own one of that name, and needs its id among several', async () => {
    const carol = await Requestor.of(provider);
    const hers = await carol.running('web');
    const grant = { body: { requestor: bob.id, sshKey } };
    await carol.call('POST', at(hers.id, 'grants'), grant);
    const ambiguous = await bob.call('GET', paths.vm(provider.id, 'web'));
    expect(codeOf(ambiguous)).toBe('vm_not_found');
    expect(JSON.stringify(ambiguous.body)).toContain('Several VMs called web');
    const own = await bob.running('web');
    expect((await bob.call('GET', paths.vm(provider.id, 'web'))).body).toMatchObject({
      id: own.id,
    });
    const { body } = await bob.call('GET', `${paths.vms(provider.id)}?limit=2`);
    const { vms, next } = body as VmsPage;
    expect(vms.map(({ id }) => id)).toEqual([vm.id, hers.id]);
    const rest = await bob.call('GET', `${paths.vms(provider.id)}?cursor=${next}`);
    expect(rest.body).toMatchObject({ vms: [{ id: own.id }], next: null });
  });

  test('is taken back at once, across restarts, and once is enough', async () => {
    const again = cleanup.use(await restart());
    expect(again.vms.queries.locate(bob.id, vm.id)).toBe(vm.id);
    const { body } = await unshare(vm.id);
    expect(body).toEqual({ grants: [] });
    expect(() => again.vms.queries.locate(bob.id, vm.id)).toThrow(
      expect.objectContaining({ code: 'vm_not_found' }),
    );
    expect((await bob.call('GET', paths.vms(provider.id))).body).toEqual({ vms: [], next: null });
    expect(codeOf(await unshare(vm.id))).toBe('not_found');
  });

  test('is shared by one answer however often that is asked', async () => {
    const carol = await Requestor.of(provider);
    const options = { body: { requestor: carol.id, sshKey }, idempotencyKey: 'the-same-key' };
    const first = await alice.call('POST', at(vm.id, 'grants'), options);
    provider.clock.advance(1000);
    const second = await alice.call('POST', at(vm.id, 'grants'), options);
    expect(second.answer.body).toBe(first.answer.body);
    const { grants } = grantsSchema.parse((await alice.call('GET', at(vm.id, 'grants'))).body);
    expect(grants.map(({ requestor }) => requestor).sort()).toEqual([bob.id, carol.id].sort());
    const seen = kinds(await events(alice, vm.id)).filter((kind) => kind.startsWith('share'));
    expect(seen).toEqual(['share owner', 'share owner']);
  });

  test('is shared with others, with so many, and not with its owner', async () => {
    expect(codeOf(await share(vm.id, alice.id))).toBe('invalid_request');
    for (let n = 1; n < LIMITS.vm.grants; n += 1) {
      expect((await share(vm.id, (await Requestor.of(provider)).id)).status).toBe(200);
    }
    expect(codeOf(await share(vm.id, (await Requestor.of(provider)).id))).toBe('wrong_state');
    // Another key for somebody who is in already is no more than there was.
    expect((await share(vm.id)).status).toBe(200);
  });

  async function restart(): Promise<TestProvider> {
    await provider[Symbol.asyncDispose]();
    provider = await start();
    alice = new Requestor(alice.identity, provider);
    bob = new Requestor(bob.identity, provider);
    return provider;
  }
});

describe('events', () => {
  test('do not tell one with whom a VM is shared who else is', async () => {
    const vm = await alice.running('web');
    const carol = await Requestor.of(provider);
    await share(vm.id);
    await share(vm.id, carol.id);
    await unshare(vm.id, carol.id);
    const isGrant = ({ kind }: VmEvent) => kind.endsWith('share');
    const toldTo = async (who: Requestor) =>
      (await events(who, vm.id)).filter(isGrant).map(({ message }) => message);
    expect(await toldTo(alice)).toEqual([bob.id, carol.id, carol.id]);
    expect(await toldTo(bob)).toEqual([bob.id, undefined, undefined]);
  });

  test('tell what was done, by whom, and how it ended', async () => {
    const vm = await alice.running('web');
    const { body } = await alice.call('POST', paths.vmAction(provider.id, vm.id, 'stop'));
    await alice.follow((body as { operation: string }).operation);
    await share(vm.id);
    await unshare(vm.id);
    provider.vms.operator.evict(vm.id, 'It sent spam.');
    await provider.vms.operations.idle();
    const all = await events(alice, vm.id);
    expect(kinds(all)).toEqual([
      ...['create owner', 'create.done owner', 'stop owner', 'stop.done owner'],
      ...[
        'share owner',
        'unshare owner',
        'evict provider',
        'destroy provider',
        'destroy.done provider',
      ],
    ]);
    expect(all.map(({ n }) => n)).toEqual(all.map((_, at) => at + 1));
    expect(all[4]).toMatchObject({ message: bob.id });
    expect(JSON.stringify(all)).toContain('It sent spam.');
    // It is gone, and its history is not: by its id, for its owner, for a week.
    expect(codeOf(await alice.call('GET', paths.vm(provider.id, vm.id)))).toBe('vm_gone');
    expect(codeOf(await bob.call('GET', at(vm.id, 'events')))).toBe('vm_not_found');
    provider.clock.advance(AGENT_LIMITS.vms.historyMillis + HOUR);
    provider.vms.prune();
    expect(codeOf(await alice.call('GET', at(vm.id, 'events')))).toBe('vm_not_found');
  });

  test('are waited for, in pages', async () => {
    const vm = await alice.running('web');
    const [first] = await events(alice, vm.id, '?limit=1');
    expect(first).toMatchObject({ n: 1, kind: 'create', by: 'owner' });
    expect(kinds(await events(alice, vm.id, '?after=1&limit=1'))).toEqual(['create.done owner']);
    const waiting = events(alice, vm.id, '?after=2&wait=20');
    await share(vm.id);
    expect(kinds(await waiting)).toEqual(['share owner']);
    // Nobody waits any more: it is answered at once.
    const gone = AbortSignal.abort();
    const path = `${at(vm.id, 'events')}?after=3&wait=20`;
    expect((await alice.call('GET', path, { signal: gone })).body).toEqual({ events: [] });
    for (const query of ['?after=x', '?wait=26', '?limit=0', '?limit=201', '?more=1']) {
      expect(codeOf(await alice.call('GET', `${at(vm.id, 'events')}${query}`))).toBe(
        'invalid_request',
      );
    }
  });

  test('are bounded: the first one stays, and the newest', async () => {
    const vm = await alice.running('web');
    const { store } = provider;
    const keep = AGENT_LIMITS.vms.events;
    for (let n = 0; n < keep + 10; n += 1) await share(vm.id);
    const rows = store.db.all('SELECT n FROM vm_events WHERE vm_id = ? ORDER BY n', vm.id);
    expect(rows).toHaveLength(keep);
    const numbers = rows.map((row) => (row as { n: number }).n);
    expect(numbers[0]).toBe(1);
    expect(numbers.at(-1)).toBe(keep + 12);
    expect(numbers[1]).toBe(keep + 12 - (keep - 2));
  }, 60_000);

  test('fit into an answer, whatever they are made of', async () => {
    const vm = await alice.running('web');
    for (let n = 0; n < LIMITS.vm.pageRecords + 50; n += 1) {
      provider.store.db.run(
        `INSERT INTO vm_events SELECT ?1, MAX(n) + 1, 0, ?2, 'provider', ?3 FROM vm_events WHERE vm_id = ?1`,
        ...[vm.id, 'k'.repeat(40), '"\\'.repeat(LIMITS.vm.reasonChars / 2)],
      );
    }
    const path = `${at(vm.id, 'events')}?after=2&limit=${LIMITS.vm.pageRecords}`;
    expect((await alice.call('GET', path)).status).toBe(200);
  });
});

describe('usage', () => {
  test('is what one’s own VMs cost, also when they are gone', async () => {
    const vm = await alice.running('web');
    await bob.running('web');
    provider.clock.advance(HOUR);
    await provider.vms.reconcile();
    const { body } = await alice.call('DELETE', paths.vm(provider.id, vm.id));
    await alice.follow((body as { operation: string }).operation);
    provider.clock.advance(HOUR);
    await provider.vms.reconcile();
    const page = await usage(alice);
    expect(new Set(page.records.map(({ vmId }) => vmId))).toEqual(new Set([vm.id]));
    expect(page.records[0]).toMatchObject({
      ...{ owner: alice.id, name: 'web', running: true, hourlyPrice: vm.hourlyPrice },
      resources: vm.resources,
    });
    expect(page.total).toBeGreaterThanOrEqual(vm.hourlyPrice);
    expect(page.total).toBeLessThan(vm.hourlyPrice * 1.01);
    expect(await usage(alice, `?vm=${vm.id}`)).toEqual(page);
    expect(await usage(bob, `?vm=${vm.id}`)).toEqual({ records: [], next: null, total: 0 });
    expect(codeOf(await alice.call('GET', `${paths.usage(provider.id)}?cursor=zz`))).toBe(
      'invalid_request',
    );
  });

  test('of a VM that is shared is its owner’s alone', async () => {
    const vm = await alice.running('web');
    await share(vm.id);
    provider.clock.advance(HOUR);
    await provider.vms.reconcile();
    expect((await usage(bob)).records).toEqual([]);
    expect((await usage(alice)).records).not.toEqual([]);
  });

  test('is the disk alone while the VM is stopped, and earnings are the same', async () => {
    const vm = await alice.running('web');
    const { body } = await alice.call('POST', paths.vmAction(provider.id, vm.id, 'stop'));
    await alice.follow((body as { operation: string }).operation);
    const before = (await usage(alice)).total;
    provider.clock.advance(10 * HOUR);
    await provider.vms.reconcile();
    const { total } = await usage(alice);
    const disk = 100_000 * vm.resources.storageGiB * 10;
    expect(total - before).toBeGreaterThanOrEqual(disk);
    expect(total - before).toBeLessThan(disk * 1.001);
    const { rows, total: earned } = provider.vms.ledger.earnings({ by: 'vm' });
    expect(rows).toMatchObject([{ key: vm.id, vm: { name: 'web', owner: alice.id } }]);
    expect(earned).toBeGreaterThanOrEqual(total);
    expect(earned - total).toBeLessThan(1000);
  });

  test('is all of it while a guest that does not answer is restarted, and while it is stopped', async () => {
    const booted = Promise.withResolvers<void>();
    const answers = Promise.withResolvers<void>();
    const ends = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    let stops = 0;
    const faults: MemoryFaults = {
      start: async (_, stage) => {
        if (stage !== 'ssh') return;
        booted.resolve();
        await answers.promise;
      },
      stop: async () => {
        stops += 1;
        if (stops === 1) return;
        told.resolve();
        await ends.promise;
      },
    };
    const slow = cleanup.use(await startProvider({ dir: `${dir}/slow`, faults }));
    const carol = await Requestor.of(slow);
    const vm = await carol.running('web');
    const restart = await carol.call('POST', paths.vmAction(slow.id, vm.id, 'restart'));
    await booted.promise;
    slow.clock.advance(HOUR);
    await slow.vms.reconcile();
    answers.resolve();
    await carol.follow((restart.body as { operation: string }).operation);
    const stop = await carol.call('POST', paths.vmAction(slow.id, vm.id, 'stop'));
    await told.promise;
    slow.clock.advance(HOUR);
    await slow.vms.reconcile();
    ends.resolve();
    await carol.follow((stop.body as { operation: string }).operation);
    slow.clock.advance(HOUR);
    await slow.vms.reconcile();
    const { total } = usagePageSchema.parse((await carol.call('GET', paths.usage(slow.id))).body);
    const least = 2 * vm.hourlyPrice + 100_000 * vm.resources.storageGiB;
    expect(total).toBeGreaterThanOrEqual(least - 1000);
    expect(total).toBeLessThan(least * 1.01);
  });

  test('of a creation that failed is nothing', async () => {
    const faults = { launch: async () => Promise.reject(new Error('no')) };
    const failing = cleanup.use(await startProvider({ dir: `${dir}/failing`, faults }));
    const carol = await Requestor.of(failing);
    const { operation } = await carol.create('web');
    expect(await carol.follow(operation)).toMatchObject({ state: 'failed' });
    failing.clock.advance(HOUR);
    await failing.vms.reconcile();
    const { body } = await carol.call('GET', paths.usage(failing.id));
    expect(body).toEqual({ records: [], next: null, total: 0 });
  });
});

describe('whom the provider serves', () => {
  const create = (who: Requestor, name: string) =>
    who.call('POST', paths.vms(provider.id), { body: createBody(name) });

  test('may change, and what one has stays theirs', async () => {
    const vm = await alice.running('web');
    policy = { deny: new Set([alice.id]) };
    expect(codeOf(await create(alice, 'more'))).toBe('forbidden');
    const renewal = paths.vmAction(provider.id, vm.id, 'renew');
    expect(codeOf(await alice.call('POST', renewal, { body: {} }))).toBe('forbidden');
    expect((await alice.call('GET', paths.vm(provider.id, 'web'))).status).toBe(200);
    expect(provider.vms.queries.locate(alice.id, 'web')).toBe(vm.id);
    const stop = await alice.call('POST', paths.vmAction(provider.id, vm.id, 'stop'));
    await alice.follow((stop.body as { operation: string }).operation);
    const size = { cpus: 2, memoryMiB: 512, storageGiB: 5 };
    const resize = paths.vmAction(provider.id, vm.id, 'resize');
    expect(codeOf(await alice.call('POST', resize, { body: { resources: size } }))).toBe(
      'forbidden',
    );
    expect((await alice.call('DELETE', paths.vm(provider.id, vm.id))).status).toBe(202);
    expect((await create(bob, 'web')).status).toBe(202);
  });

  test('are only those on the list, if the operator wants that', async () => {
    policy = { access: 'listed', allow: new Set([alice.id]) };
    const refused = await create(bob, 'web');
    expect(refused.status).toBe(403);
    // Refused before anything is said about images, prices or room.
    const wrong = { body: createBody('web', { image: 'no-such-image' }) };
    expect(codeOf(await bob.call('POST', paths.vms(provider.id), wrong))).toBe('forbidden');
    expect((await create(alice, 'web')).status).toBe(202);
  });

  test('goes for VMs of others as well', async () => {
    const vm = await alice.running('web');
    await share(vm.id);
    policy = { deny: new Set([bob.id]) };
    expect((await bob.call('GET', paths.vms(provider.id))).body).toEqual({ vms: [], next: null });
    expect(codeOf(await bob.call('GET', paths.vm(provider.id, vm.id)))).toBe('vm_not_found');
    expect(codeOf(await share(vm.id))).toBe('forbidden');
    policy = {};
    expect((await bob.call('GET', paths.vm(provider.id, vm.id))).status).toBe(200);
  });

  test('have what one may have, and strangers together theirs', async () => {
    policy = {
      allow: new Set([alice.id]),
      perRequestor: { ...BOUNDLESS, vms: 2 },
      strangers: { ...BOUNDLESS, cpus: 3 },
    };
    expect((await create(alice, 'one')).status).toBe(202);
    expect((await create(alice, 'two')).status).toBe(202);
    expect(codeOf(await create(alice, 'three'))).toBe('no_capacity');
    expect((await create(bob, 'one')).status).toBe(202);
    expect((await create(bob, 'two')).status).toBe(202);
    const carol = await Requestor.of(provider);
    expect((await create(carol, 'one')).status).toBe(202);
    const refused = await create(carol, 'two');
    expect(codeOf(refused)).toBe('no_capacity');
    expect(JSON.stringify(refused.body)).toContain('have 3 CPUs: 0 of them are left');
  });

  test('many requests of one at once leave room for others', async () => {
    const vm = await alice.running('web');
    const abort = new AbortController();
    const waiting = Array.from({ length: LIMITS.control.inFlight }, () =>
      alice.call('GET', `${at(vm.id, 'events')}?after=99&wait=20`, { signal: abort.signal }),
    );
    const busy = await Promise.any(waiting);
    expect(codeOf(busy)).toBe('provider_busy');
    expect((await bob.call('GET', paths.vms(provider.id))).status).toBe(200);
    abort.abort();
    const answers = await Promise.all(waiting);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(52);
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(12);
    expect((await alice.call('GET', paths.vms(provider.id))).status).toBe(200);
  });
});
