import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Database } from '../vms/store/database.ts';
import { TrafficKeeper, type TrafficLimits } from './keeper.ts';
import { newMeter, read, usedBytes, type Reading } from './meter.ts';
import { TrafficTable } from './table.ts';

const NOVEMBER = Date.parse('2026-11-25T12:00:00Z');
const DECEMBER = Date.parse('2026-12-01T00:00:00Z');
const readings = (...values: [string, number, number][]) =>
  new Map(
    values.map(([source, receivedBytes, sentBytes]) => [source, { receivedBytes, sentBytes }]),
  );

describe('a meter', () => {
  test('adds up what every source says is new, whenever it is read and however often it was reset', () => {
    const steps = fc.array(
      fc.record({ bytes: fc.nat(1e6), isRead: fc.boolean(), isReset: fc.boolean() }),
    );
    fc.assert(
      fc.property(steps, (walk) => {
        let [counter, counted] = [0, 0];
        let meter = read(newMeter(NOVEMBER), readings(['a', 0, 0]), NOVEMBER);
        for (const { bytes, isRead, isReset } of walk) {
          counter += bytes;
          if (isRead || isReset) {
            const before = usedBytes(meter);
            meter = read(meter, readings(['a', counter, 0]), NOVEMBER);
            counted += usedBytes(meter) - before;
          }
          // What is read before it goes away is never lost, and never counted twice.
          if (isReset) {
            counter = 0;
            meter = read(meter, readings(['a', 0, 0]), NOVEMBER);
          }
        }
        meter = read(meter, readings(['a', counter, 0]), NOVEMBER);
        expect(meter.receivedBytes).toBe(walk.reduce((sum, { bytes }) => sum + bytes, 0));
        expect(counted).toBeLessThanOrEqual(meter.receivedBytes);
      }),
    );
  });

  test('keeps what sources used that are gone, and begins a new month at nothing', () => {
    let meter = read(newMeter(NOVEMBER), readings(['a', 10, 1], ['b', 5, 2]), NOVEMBER);
    meter = read(meter, readings(['b', 7, 2]), NOVEMBER);
    expect(meter).toMatchObject({ month: '2026-11', receivedBytes: 17, sentBytes: 3 });
    meter = read(meter, readings(['b', 8, 2]), DECEMBER);
    expect(meter).toMatchObject({ month: '2026-12', receivedBytes: 1, sentBytes: 0 });
    const november = { receivedBytes: 17, sentBytes: 3 };
    meter = read(meter, readings(['b', 9, 2]), NOVEMBER, () => november);
    expect(meter).toMatchObject({ month: '2026-11', receivedBytes: 19, sentBytes: 3 });
  });
});

describe('the keeper', () => {
  let dir: string;
  let db: Database;
  let now: number;
  let limits: TrafficLimits;
  let passed: Map<string, Reading>;
  let caps: Map<string, number | undefined>;
  let changes: number;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'golem-'));
    db = new Database(join(dir, 'provider.db'));
    now = NOVEMBER;
    limits = { guestBits: 1e8, trickleBits: 256_000, monthBytes: 1000 };
    passed = readings(['vm', 0, 0]);
    caps = new Map();
    changes = 0;
  });
  afterEach(async () => {
    db[Symbol.dispose]();
    await rm(dir, { recursive: true });
  });

  const open = () =>
    new TrafficKeeper({
      table: new TrafficTable(db),
      network: {
        traffic: async (vmId) => passed.get(vmId),
        limit: async (vmId, bits) => void caps.set(vmId, bits),
      },
      guests: () => [...passed.keys()],
      relayed: () => ({ receivedBytes: 100, sentBytes: 50 }),
      limits: () => limits,
      now: () => now,
      log: pino({ level: 'silent' }),
      changed: () => (changes += 1),
    });

  test('closes the provider and lets guests trickle when the month is used up', async () => {
    const keeper = open();
    await keeper.look();
    expect(keeper.used).toEqual({ month: '2026-11', bytes: 150 });
    expect(keeper.closed()).toBeUndefined();
    expect(caps.get('vm')).toBe(1e8);

    passed = readings(['vm', 800, 49]);
    await keeper.look();
    expect(keeper.closed()).toBeUndefined();
    passed = readings(['vm', 800, 50]);
    await keeper.look();
    expect(keeper.used.bytes).toBe(1000);
    expect(keeper.closed()).toMatch(/traffic/);
    expect(caps.get('vm')).toBe(256_000);
    expect(keeper.guestBits).toBe(256_000);
    expect(changes).toBe(1);
  });

  test('stays in no month to come when the clock was ahead, and loses nothing of this one', async () => {
    await open().look();
    now = Date.parse('2031-01-01T00:00:00Z');
    passed = readings(['vm', 300, 0]);
    const keeper = open();
    await keeper.look();
    expect(keeper.used).toEqual({ month: '2031-01', bytes: 300 });
    now = NOVEMBER;
    await keeper.look();
    const after = open();
    await after.look();
    for (const each of [keeper, after]) {
      expect(each.used).toEqual({ month: '2026-11', bytes: 450 });
    }
    now = DECEMBER;
    await keeper.look();
    expect(keeper.used).toEqual({ month: '2026-12', bytes: 0 });
    expect(open().used).toEqual({ month: '2026-12', bytes: 0 });
  });

  test('goes on where an agent stopped, and opens again with a new month or a larger one', async () => {
    passed = readings(['vm', 900, 50]);
    await open().look();
    const again = open();
    expect(again.closed()).toMatch(/traffic/);
    expect(again.used.bytes).toBe(1100);
    await again.look();
    expect(again.used.bytes).toBe(1100);

    limits = { ...limits, monthBytes: undefined };
    await again.look();
    expect(again.closed()).toBeUndefined();
    limits = { ...limits, monthBytes: 1000 };
    await again.look();
    expect(again.closed()).toMatch(/traffic/);
    now = DECEMBER;
    await again.look();
    expect(again.used).toEqual({ month: '2026-12', bytes: 0 });
    expect(again.closed()).toBeUndefined();
    expect(caps.get('vm')).toBe(1e8);
  });
});
