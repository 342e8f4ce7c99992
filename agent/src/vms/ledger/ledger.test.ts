/** The books against an account that is kept minute by minute, over whatever may happen to a provider. */
import fc from 'fast-check';
import { newVmId } from '@vm-on-golem/shared/ids';
import type { UsageRecord } from '@vm-on-golem/shared/vm-records';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { transition, type VmEvent, type VmPhase, type VmPower } from '../machine.ts';
import { Recorder } from '../recorder.ts';
import type { NewVm } from '../records.ts';
import { Store } from '../store/store.ts';
import { Ledger } from './ledger.ts';
import { DAY, HOUR } from './meter.ts';

const MINUTE = 60_000;
/** Ninety minutes before midnight, at the end of a month. */
const START = Date.UTC(2026, 10, 30, 22, 30);
const OWNER = 'gr_a';

const vmOf = (change: Partial<NewVm> = {}): NewVm => ({
  id: newVmId(),
  owner: OWNER,
  name: 'web',
  phase: 'creating',
  image: 'memory',
  resources: { cpus: 2, memoryMiB: 1024, storageGiB: 10 },
  hourlyPrice: 7_000_001,
  storagePrice: 1_000_003,
  user: 'golem',
  hostKey: 'ssh-ed25519 AAAA',
  labels: undefined,
  createdAt: START,
  leaseUntil: null,
  destroyAt: null,
  collectBy: null,
  ...change,
});

/** A provider that can be killed at any time: what it has written is there for the next. */
class Machine implements Disposable {
  readonly store = new Store(':memory:');
  wall = START;
  awake = 0;
  bootId = 'one';
  ledger!: Ledger;
  recorder!: Recorder;

  constructor() {
    this.boot();
  }

  boot(): void {
    const now = () => this.wall;
    const { store } = this;
    const host = { bootId: this.bootId, uptime: () => this.awake };
    this.ledger = new Ledger({ store, now, awake: () => this.awake, host, everyMillis: HOUR });
    this.recorder = new Recorder({ store, now, observers: [this.ledger] });
  }

  pass(millis: number): void {
    this.wall += millis;
    this.awake += millis;
  }

  records(owner = OWNER) {
    const all = [];
    for (let cursor: string | undefined; ;) {
      const page = this.ledger.usage(owner, cursor === undefined ? {} : { cursor });
      all.push(...page.records);
      if (page.next === null) return all;
      cursor = page.next;
    }
  }

  /** `running` for so many minutes, and so on. */
  summary(): string[] {
    return this.records().map(
      ({ from, to, running, hourlyPrice }) =>
        `${running ? 'running' : hourlyPrice > 0 ? 'stored' : 'free'} ${(Date.parse(to) - Date.parse(from)) / MINUTE}`,
    );
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine[Symbol.dispose]());

/** @returns its id */
function running(change: Partial<NewVm> = {}): string {
  const vm = machine.recorder.insert(vmOf(change));
  machine.pass(3 * MINUTE);
  machine.recorder.move(vm.id, 'up');
  return vm.id;
}

describe('what is charged', () => {
  test('is nothing before it is ready, and nothing at all when it never is', () => {
    running();
    const failed = machine.recorder.insert(vmOf({ name: 'failed' }));
    machine.pass(10 * MINUTE);
    machine.recorder.update(failed.id, { removing: true });
    machine.recorder.move(failed.id, 'leftover');
    machine.pass(10 * MINUTE);
    machine.recorder.move(failed.id, 'gone');
    machine.ledger.look(() => true);
    const { total } = machine.ledger.usage(OWNER, {});
    expect(total).toBe(Math.floor((7_000_001 * 20) / 60));
    expect(machine.ledger.usage(OWNER, { vm: failed.id })).toMatchObject({ records: [], total: 0 });
  });

  test('is the disk alone while its guest does not run, and all of it while that does', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.recorder.move(id, 'stop');
    machine.pass(MINUTE);
    machine.recorder.move(id, 'down');
    machine.pass(20 * MINUTE);
    machine.recorder.move(id, 'start');
    machine.pass(MINUTE);
    machine.recorder.booting(id);
    machine.pass(2 * MINUTE);
    machine.recorder.move(id, 'up');
    machine.pass(5 * MINUTE);
    machine.recorder.move(id, 'suspend');
    machine.pass(2 * MINUTE);
    machine.recorder.move(id, 'saved');
    machine.pass(7 * MINUTE);
    machine.recorder.move(id, 'stop');
    machine.pass(MINUTE);
    machine.recorder.move(id, 'down');
    machine.recorder.update(id, { phase: 'destroying', removing: true });
    machine.pass(HOUR);
    machine.recorder.move(id, 'gone');
    machine.pass(HOUR);
    expect(machine.summary()).toEqual(['running 11', 'stored 21', 'running 9', 'stored 8']);
    const { total } = machine.ledger.usage(OWNER, {});
    expect(total).toBe(Math.floor((20 * 7_000_001 + 29 * 1_000_003) / 60));
  });

  test('is all of it while a guest without sshd is restarted, but for the moment that it is off', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.recorder.move(id, 'restart');
    machine.pass(2 * MINUTE);
    machine.recorder.update(id, { power: 'off' });
    machine.pass(MINUTE);
    machine.recorder.booting(id);
    for (let minute = 0; minute < 10; minute += 1) {
      machine.pass(MINUTE);
      machine.ledger.look(() => true);
    }
    // The wait for it has failed, and it is seen that it runs.
    machine.recorder.move(id, 'up');
    machine.pass(5 * MINUTE);
    machine.recorder.update(id, { phase: 'destroying', removing: true });
    expect(machine.summary()).toEqual(['running 12', 'stored 1', 'running 15']);
  });

  test('goes on while a stop fails', () => {
    const id = running();
    machine.recorder.move(id, 'stop');
    machine.pass(3 * MINUTE);
    machine.recorder.move(id, 'up');
    machine.pass(4 * MINUTE);
    machine.recorder.update(id, { phase: 'destroying', removing: true });
    expect(machine.summary()).toEqual(['running 7']);
  });

  test('is the disk alone when a start fails before anybody saw the guest', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.recorder.move(id, 'stop');
    machine.recorder.move(id, 'down');
    machine.recorder.move(id, 'start');
    machine.recorder.booting(id);
    machine.pass(2 * MINUTE);
    machine.ledger.look(() => false);
    machine.recorder.move(id, 'down');
    machine.pass(MINUTE);
    machine.recorder.update(id, { phase: 'destroying', removing: true });
    expect(machine.summary()).toEqual(['running 10', 'stored 3']);
  });

  test('goes up to the last look when a guest stopped by itself', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.ledger.look(() => true);
    machine.pass(4 * MINUTE);
    machine.recorder.move(id, 'down');
    machine.pass(MINUTE);
    machine.recorder.update(id, { phase: 'destroying', removing: true });
    expect(machine.summary()).toEqual(['running 10', 'stored 5']);
  });

  test('is nothing for a guest that the provider has lost', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.ledger.look(() => true);
    machine.recorder.move(id, 'lost');
    machine.pass(2 * HOUR);
    machine.ledger.look(() => false);
    machine.recorder.move(id, 'up');
    expect(machine.summary()).toEqual(['running 10', 'free 120']);
  });

  test('changes with the size, from the moment that it is another', () => {
    const id = running();
    machine.recorder.move(id, 'stop');
    machine.recorder.move(id, 'down');
    machine.recorder.move(id, 'change');
    machine.pass(10 * MINUTE);
    const resources = { cpus: 4, memoryMiB: 4096, storageGiB: 40 };
    machine.recorder.move(id, 'down', { resources, hourlyPrice: 20, storagePrice: 4 });
    machine.pass(10 * MINUTE);
    // What its owner does not pay for by the hour changes no record.
    machine.recorder.update(id, { leaseUntil: 5 });
    machine.pass(10 * MINUTE);
    machine.recorder.move(id, 'start');
    machine.recorder.move(id, 'up');
    expect(machine.records()).toMatchObject([
      { running: false, hourlyPrice: 1_000_003, resources: { storageGiB: 10 } },
      { running: false, hourlyPrice: 4, resources },
    ]);
    expect(machine.summary()).toEqual(['stored 10', 'stored 20']);
  });

  test('is settled every hour, and at midnight', () => {
    running();
    for (let minute = 0; minute < 3 * 60; minute += 15) {
      machine.pass(15 * MINUTE);
      machine.ledger.look(() => true);
    }
    // Ready at 22:33; midnight is 87 minutes later.
    expect(machine.summary()).toEqual(['running 60', 'running 27', 'running 33', 'running 60']);
    expect(machine.records()[1]).toMatchObject({ to: '2026-12-01T00:00:00.000Z', running: true });
  });
});

describe('after a kill', () => {
  test('a guest that runs ran on', () => {
    running();
    machine.pass(10 * MINUTE);
    machine.ledger.look(() => true);
    machine.pass(50 * MINUTE);
    machine.boot();
    machine.ledger.look(() => true);
    expect(machine.summary()).toEqual(['running 60']);
  });

  test('one that does not ran until the last sign of life', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.ledger.look(() => true);
    machine.pass(40 * MINUTE);
    machine.boot();
    machine.recorder.move(id, 'down');
    machine.pass(MINUTE);
    machine.recorder.move(id, 'start');
    machine.recorder.move(id, 'up');
    machine.recorder.move(id, 'stop');
    expect(machine.summary()).toEqual(['running 10', 'stored 41']);
  });

  test('one that is brought back before anybody looked has not run meanwhile', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.ledger.look(() => true);
    machine.pass(40 * MINUTE);
    machine.boot();
    machine.recorder.move(id, 'boot');
    machine.recorder.booting(id);
    machine.recorder.move(id, 'up');
    expect(machine.summary()).toEqual(['running 10', 'stored 40']);
  });

  test('one whose boot was cut off, and is begun again, has not run meanwhile', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.recorder.move(id, 'stop');
    machine.recorder.move(id, 'down');
    machine.recorder.move(id, 'start');
    machine.recorder.booting(id);
    machine.pass(5 * MINUTE);
    machine.ledger.look(() => true);
    machine.pass(30 * MINUTE);
    machine.boot();
    machine.ledger.look(() => false);
    machine.recorder.booting(id);
    machine.pass(4 * MINUTE);
    machine.recorder.move(id, 'up');
    machine.recorder.update(id, { phase: 'destroying', removing: true });
    expect(machine.summary()).toEqual(['running 10', 'running 5', 'stored 30', 'running 4']);
  });

  test('one that was being stopped, and is found stopped, ran until it was seen last', () => {
    const id = running();
    machine.pass(10 * MINUTE);
    machine.recorder.move(id, 'stop');
    machine.ledger.look(() => true);
    machine.pass(40 * MINUTE);
    machine.boot();
    machine.ledger.look(() => false);
    machine.recorder.move(id, 'down');
    machine.pass(MINUTE);
    machine.recorder.update(id, { phase: 'destroying', removing: true });
    expect(machine.summary()).toEqual(['running 10', 'stored 41']);
  });

  test('a VM of a store without books is charged from then on', () => {
    const vm = vmOf({ phase: 'running' });
    machine.store.vms.insert(vm);
    machine.store.vms.update(vm.id, { power: 'on' });
    machine.pass(DAY);
    machine.boot();
    machine.ledger.look(() => true);
    machine.pass(HOUR);
    machine.ledger.look(() => true);
    expect(machine.summary()).toEqual(['running 60']);
  });
});

describe('a clock', () => {
  test('that goes back stops the time until it has caught up', () => {
    running();
    machine.pass(30 * MINUTE);
    machine.ledger.look(() => true);
    machine.wall -= HOUR;
    machine.pass(30 * MINUTE);
    machine.ledger.look(() => true);
    expect(machine.ledger.usage(OWNER, {}).total).toBe(Math.floor(7_000_001 / 2));
    machine.pass(60 * MINUTE);
    machine.ledger.look(() => true);
    expect(machine.summary()).toEqual(['running 60']);
  });

  test.each(['one', 'two'])(
    'that is years ahead at a start costs nobody anything, in boot %s',
    (boot) => {
      const id = running();
      machine.pass(10 * MINUTE);
      machine.recorder.move(id, 'stop');
      machine.recorder.move(id, 'down');
      machine.ledger.look(() => false);
      machine.pass(30 * MINUTE);
      machine.wall += 365 * DAY;
      machine.bootId = boot;
      machine.boot();
      machine.ledger.look(() => false);
      machine.pass(HOUR);
      machine.ledger.look(() => false);
      const stored = boot === 'one' ? 30 : 0;
      expect(machine.summary().slice(0, 5)).toEqual([
        'running 10',
        ...(stored > 0 ? [`stored ${stored}`] : []),
        `free ${365 * 24 * 60 + 30 - stored}`,
        'stored 47',
        'stored 13',
      ]);
    },
  );

  test('that was ahead, and is set right, is charged by again at once', () => {
    const wrong = fc.integer({ min: 7 * 60, max: 5 * 365 * 24 * 60 });
    const minutes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(wrong, minutes, fc.boolean(), fc.boolean(), (ahead, later, starts, reboots) => {
        machine[Symbol.dispose]();
        machine = new Machine();
        running();
        const look = () => machine.ledger.look(() => true);
        const restart = () => {
          if (reboots) machine.bootId += 'x';
          if (starts) machine.boot();
        };
        machine.wall += ahead * MINUTE;
        restart();
        look();
        machine.wall -= ahead * MINUTE;
        restart();
        look();
        const before = machine.ledger.usage(OWNER, {}).total;
        let passed = 0;
        for (const each of later) {
          machine.pass(each * MINUTE);
          passed += each;
          look();
        }
        const charged = machine.ledger.usage(OWNER, {}).total - before;
        // Each of both is rounded down.
        expect(Math.abs(charged - (7_000_001 * passed) / 60)).toBeLessThanOrEqual(1);
        expect(before).toBe(0);
      }),
    );
  });

  test('that leaps years ahead costs nobody anything', () => {
    running();
    machine.pass(30 * MINUTE);
    machine.ledger.look(() => true);
    machine.wall += 365 * DAY;
    machine.pass(30 * MINUTE);
    machine.ledger.look(() => true);
    machine.pass(60 * MINUTE);
    machine.ledger.look(() => true);
    const free = `free ${365 * 24 * 60 + 30}`;
    expect(machine.summary()).toEqual(['running 30', free, 'running 27', 'running 33']);
  });
});

describe('the store itself refuses', () => {
  const one = () => {
    running();
    machine.pass(HOUR);
    machine.ledger.look(() => true);
  };
  test.each([
    ['UPDATE usage SET hourly_price = 0', 'only ever added'],
    ['DELETE FROM usage', 'only ever added'],
    [`UPDATE usage_vms SET name = 'db'`, 'only ever added'],
    ['DELETE FROM usage_vms', 'only ever added'],
    [
      'INSERT OR REPLACE INTO usage SELECT vm, from_at, to_at, 0, cpus, memory_mib, storage_gib, 0 FROM usage',
      'begins where the last one',
    ],
    [
      'INSERT INTO usage SELECT vm, to_at + 1, to_at + 2, 0, cpus, memory_mib, storage_gib, 0 FROM usage',
      'begins where the last one',
    ],
    [
      'INSERT INTO usage SELECT vm, to_at, to_at + 90000000, 1, cpus, memory_mib, storage_gib, 1 FROM usage',
      'CHECK',
    ],
  ])('%s', (sql, why) => {
    one();
    const before = machine.records();
    expect(before).toHaveLength(1);
    expect(() => machine.store.db.run(sql)).toThrow(why);
    expect(machine.records()).toEqual(before);
  });
});

test('nobody reads the records of others', () => {
  const id = running();
  running({ name: 'other', owner: 'gr_b' });
  machine.pass(HOUR);
  machine.ledger.look(() => true);
  expect(new Set(machine.records().map(({ owner }) => owner))).toEqual(new Set([OWNER]));
  expect(machine.ledger.usage('gr_b', { vm: id })).toEqual({ records: [], next: null, total: 0 });
  expect(() => machine.ledger.usage(OWNER, { cursor: 'bm8' })).toThrow(
    expect.objectContaining({ code: 'invalid_request' }),
  );
});

test('records are kept when the VM is forgotten, and are given in pages', () => {
  const id = running();
  for (let hour = 0; hour < 450; hour += 1) {
    machine.pass(HOUR);
    machine.ledger.look(() => true);
  }
  machine.recorder.update(id, { phase: 'destroying', removing: true });
  machine.recorder.move(id, 'gone');
  machine.store.prune({ idempotency: machine.wall + 1, history: machine.wall + 1 });
  expect(machine.store.vms.live()).toEqual([]);
  const first = machine.ledger.usage(OWNER, {});
  expect(first.records).toHaveLength(200);
  const all = machine.records();
  expect(all.length).toBeGreaterThan(450);
  expect(first.total).toBe(7_000_001 * 450);
  const { rows, total } = machine.ledger.earnings({ by: 'month' });
  expect(rows.map(({ key }) => key)).toEqual(['2026-11', '2026-12']);
  expect(total).toBe(first.total);
  expect(rows[0]).toMatchObject({ runningMillis: 87 * MINUTE, storedMillis: 0 });
});

type Step =
  | { readonly kind: 'pass' | 'jump' | 'kill'; readonly minutes: number }
  | { readonly kind: 'look'; readonly alive: number }
  | { readonly kind: 'move'; readonly vm: number; readonly event: VmEvent }
  /** A guest is about to be booted, or has ended in the middle of a restart. */
  | { readonly kind: 'boots' | 'ended'; readonly vm: number };

const EVENTS = [
  ...['start', 'stop', 'restart', 'suspend', 'change', 'destroy', 'up', 'down', 'saved', 'lost'],
  ...['boot', 'leftover', 'gone'],
] as VmEvent[];

const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), minutes: fc.nat(100) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('jump' as const),
        minutes: fc.integer({ min: -4000, max: 4000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('kill' as const), minutes: fc.nat(3000) }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('look' as const), alive: fc.nat(3) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('move' as const),
        vm: fc.nat(1),
        event: fc.constantFrom(...EVENTS),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('boots' as const, 'ended' as const),
        vm: fc.nat(1),
      }),
    },
  ),
  { maxLength: 60 },
);
const prices = fc
  .tuple(fc.nat(2 ** 45), fc.nat(2 ** 40))
  .map(([compute, disk]) => ({ hourlyPrice: compute + disk, storagePrice: disk }));

/** One VM in the account: each minute of its time is painted once, with what it costs. */
class Painted {
  readonly id: string;
  readonly #full: number;
  readonly #disk: number;
  readonly minutes = new Map<number, number>();
  phase: VmPhase | 'gone' = 'creating';
  power: VmPower = 'off';
  removing = false;
  confirmed = false;
  risen = false;
  /** Where its time begins that is not painted for good; undefined while it costs nothing. */
  #from: number | undefined;
  #seen = 0;

  constructor(id: string, full: number, disk: number) {
    this.id = id;
    this.#full = full;
    this.#disk = disk;
  }

  /** Charged as running: its guest takes processors, and was ready once. */
  get isRunning(): boolean {
    return this.price !== undefined && this.power !== 'off';
  }

  get price(): number | undefined {
    if (this.removing || ['gone', 'creating', 'destroying'].includes(this.phase)) return undefined;
    if (this.power !== 'off') return this.#full;
    return this.phase === 'failed' ? 0 : this.#disk;
  }

  move(event: VmEvent, now: number): void {
    if (this.phase === 'gone') return;
    const next = transition(this.phase, event);
    if (next === undefined) return;
    const { phase: from, power } = this;
    const isFound = ['down', 'saved', 'lost', 'boot'].includes(event);
    const bySelf = isFound && (from === 'running' || power === 'booting');
    this.#change(now, bySelf, () => {
      this.phase = next;
      this.removing ||= event === 'destroy';
      if (event === 'up') this.power = 'on';
      else if (isFound) this.power = 'off';
    });
    if (next === 'running' && from !== 'running' && this.isRunning) {
      this.confirmed = this.risen = true;
    }
  }

  boots(now: number): void {
    if (this.phase !== 'creating' && this.phase !== 'starting') return;
    this.ended(now);
    this.#change(now, false, () => (this.power = 'booting'));
  }

  /** Told to in the middle of a restart, or found so when it is booted again. */
  ended(now: number): void {
    if (this.phase !== 'creating' && this.phase !== 'starting') return;
    this.#change(now, this.power === 'booting', () => (this.power = 'off'));
  }

  #change(now: number, bySelf: boolean, change: () => void): void {
    const [was, ran] = [this.price, this.isRunning];
    change();
    if (this.price === was && this.isRunning === ran) return;
    const at = Math.max(now, this.#seen);
    if (this.#from === undefined) this.#from = at;
    else {
      const until = ran && (bySelf || !this.confirmed) ? this.#seen : at;
      this.#paint(until, was ?? 0);
    }
    this.#seen = at;
    if (this.price === undefined) this.#from = undefined;
    if (ran) this.confirmed = this.risen = false;
  }

  look(now: number, seen: boolean, leap: { from: number; to: number } | undefined): void {
    const alive = seen || this.risen;
    this.risen = false;
    this.confirmed = alive && this.#from !== undefined;
    if (this.#from === undefined) return;
    const price = this.price ?? 0;
    if (leap) {
      const until = this.isRunning ? this.#seen : Math.max(leap.from, this.#seen);
      this.#paint(until, price);
      this.#seen = this.#from = Math.max(leap.to, until);
    }
    if (!this.isRunning || alive) this.#seen = Math.max(now, this.#seen);
    this.#paint(this.#seen, price);
  }

  /** What is certain at the end. */
  close(now: number): void {
    if (this.#from === undefined) return;
    this.#paint(this.isRunning ? this.#seen : Math.max(now, this.#seen), this.price ?? 0);
  }

  #paint(until: number, price: number): void {
    for (let minute = this.#from ?? until; minute < until; minute += MINUTE) {
      if (this.minutes.has(minute)) throw new Error(`${this.id}: ${minute} is charged twice`);
      this.minutes.set(minute, price);
    }
    this.#from = until;
  }
}

/** nano-USD an hour times minutes, so that no digit is lost. */
const weigh = (minutes: Iterable<number>) =>
  [...minutes].reduce((sum, price) => sum + BigInt(price), 0n);
const nano = (weight: bigint) => Number(weight / 60n);

function replay(walk: readonly Step[], costs: readonly NewPrices[]) {
  using at = new Machine();
  let last = START;
  let anchor = { wall: START, awake: 0 };
  let saved: { at: number; awake: number } | undefined;
  const real = () => anchor.wall + at.awake - anchor.awake;
  const now = () => {
    if (at.wall < last - HOUR) return Math.max(last, real());
    return at.wall <= last ? last : Math.min(at.wall, Math.max(last, real()));
  };
  const painted = costs.map(({ hourlyPrice, storagePrice }, n) => {
    const { id } = at.recorder.insert(vmOf({ name: `vm-${n}`, hourlyPrice, storagePrice }));
    return new Painted(id, hourlyPrice, storagePrice);
  });
  for (const step of walk) {
    switch (step.kind) {
      case 'pass':
        at.pass(step.minutes * MINUTE);
        break;
      case 'jump':
        at.wall += step.minutes * MINUTE;
        break;
      case 'kill': {
        at.pass(step.minutes * MINUTE);
        at.boot();
        const before = { last: saved?.at, passed: saved ? at.awake - saved.awake : 0 };
        const seen = at.store.db.get('SELECT MAX(seen_at) seen FROM usage_meters') as {
          seen: number | null;
        };
        last = Math.max(before.last ?? 0, seen.seen ?? 0) || at.wall;
        const passed = Math.max(last, (before.last ?? last) + before.passed);
        anchor = { wall: passed, awake: at.awake };
        for (const vm of painted) vm.confirmed = vm.risen = false;
        break;
      }
      case 'look': {
        const time = now();
        const leap = at.wall > time ? { from: time, to: at.wall } : undefined;
        last = leap?.to ?? time;
        if (leap) anchor = { wall: at.wall, awake: at.awake };
        saved = { at: last, awake: at.awake };
        const alive = (n: number) => (step.alive & (1 << n)) !== 0;
        at.ledger.look((id) => alive(painted.findIndex((vm) => vm.id === id)));
        for (const [n, vm] of painted.entries()) {
          vm.look(last, alive(n), leap);
        }
        break;
      }
      case 'move': {
        const vm = painted[step.vm];
        if (!vm) break;
        const removing = step.event === 'destroy' ? { removing: true } : {};
        at.recorder.move(vm.id, step.event, removing);
        vm.move(step.event, now());
        break;
      }
      case 'boots':
      case 'ended': {
        const vm = painted[step.vm];
        if (!vm || (vm.phase !== 'creating' && vm.phase !== 'starting')) break;
        if (step.kind === 'boots') at.recorder.booting(vm.id);
        else at.recorder.update(vm.id, { power: 'off' });
        vm[step.kind](now());
      }
    }
  }
  for (const vm of painted) vm.close(now());

  const all = painted.flatMap((vm) => [...vm.minutes]);
  const weighed = (those: readonly [minute: number, price: number][]) =>
    nano(weigh(those.map(([, price]) => price)));
  const total = weighed(all);
  const days = Map.groupBy(all, ([minute]) => new Date(minute).toISOString().slice(0, 10));
  const middle = START + 12 * HOUR;
  const earned = (query: { from?: number; to?: number }) =>
    at.ledger.earnings({ by: 'vm', ...query }).total;
  const byDay = at.ledger.earnings({ by: 'day' }).rows;
  return {
    found: {
      breaks: painted.flatMap((vm) => breaksOf(at.records().filter(({ vmId }) => vmId === vm.id))),
      vms: painted.map((vm) => at.ledger.usage(OWNER, { vm: vm.id }).total),
      total: at.ledger.usage(OWNER, {}).total,
      by: (['vm', 'day', 'month'] as const).map((by) => at.ledger.earnings({ by }).total),
      days: byDay.map(({ key, nanoUsd }) => [key, nanoUsd]),
      halves: [earned({ to: middle }), earned({ from: middle })],
    },
    expected: {
      breaks: [],
      vms: painted.map((vm) => weighed([...vm.minutes])),
      total,
      by: [total, total, total],
      days: byDay.map(({ key }) => [key, weighed(days.get(key) ?? [])]),
      halves: [
        weighed(all.filter(([minute]) => minute < middle)),
        weighed(all.filter(([minute]) => minute >= middle)),
      ],
    },
  };
}

/** Gaps and overlaps. */
function breaksOf(records: readonly UsageRecord[]): string[] {
  return records.flatMap(({ from, to }, n) =>
    Date.parse(to) > Date.parse(from) && (n === 0 || from === records[n - 1]?.to)
      ? []
      : [`${from} to ${to}`],
  );
}

type NewPrices = Pick<NewVm, 'hourlyPrice' | 'storagePrice'>;

test('whatever happens, each minute is charged once, at its price, and sums are exact', () => {
  fc.assert(
    fc.property(steps, fc.tuple(prices, prices), (walk, costs) => {
      const { found, expected } = replay([{ kind: 'move', vm: 0, event: 'up' }, ...walk], costs);
      expect(found).toEqual(expected);
    }),
    { numRuns: 300 },
  );
}, 60_000);
