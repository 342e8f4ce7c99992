import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newVmId } from '@vm-on-golem/shared/ids';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewOperation, NewVm } from '../records.ts';
import { Store } from './store.ts';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-store-'));
  path = join(dir, 'provider.db');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const vmOf = (change: Partial<NewVm> = {}): NewVm => ({
  id: newVmId(),
  owner: 'gr_a',
  name: 'web',
  phase: 'creating',
  image: 'memory',
  resources: { cpus: 2, memoryMiB: 1024, storageGiB: 10 },
  hourlyPrice: 7,
  storagePrice: 2,
  user: 'golem',
  hostKey: 'ssh-ed25519 AAAA',
  labels: { env: 'prod' },
  createdAt: 1_700_000_000_000,
  leaseUntil: 1_700_000_100_000,
  destroyAt: null,
  collectBy: 1_700_000_000_600,
  ...change,
});

const operationOf = (id: string, vmId: string): NewOperation => ({
  ...{ id, vmId, owner: 'gr_a', kind: 'create', actor: 'owner', args: {}, request: 'req_1' },
});

describe('the store', () => {
  test('gives back what was put in, also to the next program', () => {
    const vm = vmOf();
    {
      using store = new Store(path);
      store.vms.insert(vm);
      store.operations.insert(operationOf('op_1', vm.id));
      store.operations.appendEvent('op_1', 'accepted', 1);
      store.operations.appendEvent('op_1', 'image', 2);
    }
    using store = new Store(path);
    expect(store.vms.get(vm.id)).toEqual({
      ...vm,
      ...{ seq: 1, power: 'off', removing: false, growing: null, hold: null, boot: null },
      ...{ goneAt: null, goneBy: null, goneWhy: null },
    });
    expect(store.vms.byName('gr_a', 'web')?.id).toBe(vm.id);
    expect(store.vms.byName('gr_b', 'web')).toBeUndefined();
    expect(store.operations.running()).toMatchObject([{ id: 'op_1', kind: 'create' }]);
    expect(store.operations.events('op_1', 1, 10)).toEqual([{ n: 2, at: 2, stage: 'image' }]);
  });

  test('writes all of a transaction or nothing', () => {
    using store = new Store(path);
    const attempt = () =>
      store.transaction(() => {
        store.vms.insert(vmOf());
        throw new Error('no');
      });
    expect(attempt).toThrow('no');
    expect(store.vms.live()).toEqual([]);
    store.vms.insert(vmOf());
    expect(store.vms.live()).toHaveLength(1);
  });

  test('holds a name once for each owner, for as long as the VM exists', () => {
    using store = new Store(path);
    const first = vmOf();
    store.vms.insert(first);
    expect(() => store.vms.insert(vmOf())).toThrow('UNIQUE');
    store.vms.insert(vmOf({ owner: 'gr_b' }));
    store.vms.update(first.id, { goneAt: 5 });
    store.vms.insert(vmOf());
    expect(store.vms.get(first.id)).toBeUndefined();
  });

  test('sums what is taken, and nothing else', () => {
    using store = new Store(path);
    expect(store.vms.taken()).toEqual({ cpus: 0, memoryMiB: 0, storageGiB: 0, vms: 0 });
    const [a, b] = [vmOf({ name: 'a' }), vmOf({ name: 'b' })];
    store.vms.insert(a);
    store.vms.insert(b);
    expect(store.vms.taken()).toEqual({ cpus: 4, memoryMiB: 2048, storageGiB: 20, vms: 2 });
    store.vms.update(a.id, { goneAt: 5 });
    expect(store.vms.taken()).toEqual({ cpus: 2, memoryMiB: 1024, storageGiB: 10, vms: 1 });
  });

  test('forgets what is over, and never what is not', () => {
    using store = new Store(path);
    const [old, live] = [vmOf({ name: 'old' }), vmOf({ name: 'live' })];
    for (const { id } of [old, live]) {
      store.vms.insert(id === old.id ? old : live);
      store.operations.insert(operationOf(`op_${id}`, id));
      store.operations.appendEvent(`op_${id}`, 'accepted', 1);
    }
    store.vms.update(old.id, { goneAt: 10 });
    store.commands.put('gr_a', 'key', { digest: 'd', status: 202, body: '{}' }, 10);
    store.prune({ idempotency: 11, history: 11 });
    expect(store.operations.get(`op_${old.id}`)).toBeUndefined();
    expect(store.operations.events(`op_${old.id}`, 0, 10)).toEqual([]);
    expect(store.commands.get('gr_a', 'key', 0)).toBeUndefined();
    expect(store.operations.get(`op_${live.id}`)).toMatchObject({ state: 'running' });
    expect(store.vms.get(live.id)?.name).toBe('live');
  });

  test('is opened by one program at a time', () => {
    using store = new Store(path);
    expect(() => new Store(path)).toThrow(expect.objectContaining({ code: 'duplicate_identity' }));
    expect(store.vms.live()).toEqual([]);
  });

  test('of a newer program is left alone', () => {
    new Store(path)[Symbol.dispose]();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 999');
    db.close();
    expect(() => new Store(path)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});
