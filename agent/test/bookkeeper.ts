/**
 * A program that keeps the books of two VMs as busily as it can, until it is killed.
 * Usage: node bookkeeper.ts STORE. Prints a line when it has begun.
 */
import { Ledger } from '../src/vms/ledger/ledger.ts';
import { Recorder } from '../src/vms/recorder.ts';
import { Store } from '../src/vms/store/store.ts';

const [path = ''] = process.argv.slice(2);
const store = new Store(path);
const { now } = Date;
const awake = () => performance.now();
// Settled so often that many a kill comes in the middle of it.
const host = { bootId: 'boot', uptime: now };
const ledger = new Ledger({ store, now, awake, host, everyMillis: 3 });
const recorder = new Recorder({ store, now, observers: [ledger] });

const vms = ['vm_a', 'vm_b'];
for (const id of vms) {
  if (store.vms.get(id)) continue;
  recorder.insert({
    ...{ id, owner: 'gr_a', name: id.replace('_', '-'), phase: 'creating', image: 'memory' },
    resources: { cpus: 1, memoryMiB: 512, storageGiB: 5 },
    ...{ hourlyPrice: 7_000_000_001, storagePrice: 1_000_000_003, user: 'golem', hostKey: '' },
    ...{ labels: undefined, createdAt: now(), leaseUntil: null, destroyAt: null, collectBy: null },
  });
  recorder.move(id, 'up');
}
process.stdout.write('begun\n');
for (let turn = 0; ; turn += 1) {
  const id = vms[turn % 2] ?? '';
  for (const event of ['stop', 'down', 'start', 'up'] as const) {
    recorder.move(id, event);
    ledger.look((vmId) => store.vms.get(vmId)?.phase === 'running');
  }
}
