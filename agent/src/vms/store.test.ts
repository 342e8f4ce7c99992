import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newVmId } from '@vm-on-golem/shared/ids';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Store, type NewVm } from './store.ts';

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
  user: 'golem',
  hostKey: 'ssh-ed25519 AAAA',
  labels: { env: 'prod' },
  createdAt: 1_700_000_000_000,
  ...change,
});

describe('the store', () => {
  test('gives back what was put in, also to the next program', () => {
    const vm = vmOf();
    {
      using store = new Store(path);
      store.insertVm(vm);
      store.insertOperation({ id: 'op_1', vmId: vm.id, owner: vm.owner, kind: 'create' });
      store.appendEvent('op_1', 'accepted', 1);
      store.appendEvent('op_1', 'image', 2);
    }
    using store = new Store(path);
    expect(store.vm(vm.id)).toEqual({ ...vm, seq: 1, removing: false, goneAt: null });
    expect(store.vmByName('gr_a', 'web')?.id).toBe(vm.id);
    expect(store.vmByName('gr_b', 'web')).toBeUndefined();
    expect(store.runningOperations()).toMatchObject([{ id: 'op_1', kind: 'create' }]);
    expect(store.events('op_1', 1, 10)).toEqual([{ n: 2, at: 2, stage: 'image' }]);
  });

  test('writes all of a transaction or nothing', () => {
    using store = new Store(path);
    const attempt = () =>
      store.transaction(() => {
        store.insertVm(vmOf());
        throw new Error('no');
      });
    expect(attempt).toThrow('no');
    expect(store.liveVms()).toEqual([]);
    store.insertVm(vmOf());
    expect(store.liveVms()).toHaveLength(1);
  });

  test('holds a name once for each owner, for as long as the VM exists', () => {
    using store = new Store(path);
    const first = vmOf();
    store.insertVm(first);
    expect(() => store.insertVm(vmOf())).toThrow('UNIQUE');
    store.insertVm(vmOf({ owner: 'gr_b' }));
    store.setGone(first.id, 5);
    store.insertVm(vmOf());
    expect(store.vm(first.id)).toBeUndefined();
  });

  test('sums what is taken, and nothing else', () => {
    using store = new Store(path);
    expect(store.taken()).toEqual({ cpus: 0, memoryMiB: 0, storageGiB: 0, vms: 0 });
    const [a, b] = [vmOf({ name: 'a' }), vmOf({ name: 'b' })];
    store.insertVm(a);
    store.insertVm(b);
    expect(store.taken()).toEqual({ cpus: 4, memoryMiB: 2048, storageGiB: 20, vms: 2 });
    store.setGone(a.id, 5);
    expect(store.taken()).toEqual({ cpus: 2, memoryMiB: 1024, storageGiB: 10, vms: 1 });
  });

  test('forgets what is over, and never what is not', () => {
    using store = new Store(path);
    const [old, live] = [vmOf({ name: 'old' }), vmOf({ name: 'live' })];
    for (const { id } of [old, live]) {
      store.insertVm(id === old.id ? old : live);
      store.insertOperation({ id: `op_${id}`, vmId: id, owner: 'gr_a', kind: 'create' });
      store.appendEvent(`op_${id}`, 'accepted', 1);
    }
    store.setGone(old.id, 10);
    store.remember('gr_a', 'key', { digest: 'd', status: 202, body: '{}' }, 10);
    store.prune({ idempotency: 11, history: 11 });
    expect(store.operation(`op_${old.id}`)).toBeUndefined();
    expect(store.events(`op_${old.id}`, 0, 10)).toEqual([]);
    expect(store.remembered('gr_a', 'key', 0)).toBeUndefined();
    expect(store.operation(`op_${live.id}`)).toMatchObject({ state: 'running' });
    expect(store.vm(live.id)?.name).toBe('live');
  });

  test('is opened by one program at a time', () => {
    using store = new Store(path);
    expect(() => new Store(path)).toThrow(expect.objectContaining({ code: 'duplicate_identity' }));
    expect(store.liveVms()).toEqual([]);
  });

  test('of a newer program is left alone', () => {
    new Store(path)[Symbol.dispose]();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 999');
    db.close();
    expect(() => new Store(path)).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});
