import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../config/config.ts';
import { DriverError, type GuestUsage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { HostWatch, type Guest } from './watch.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const { guestsMillis, lookMillis } = AGENT_LIMITS.host;
const usageOf = (change: Partial<GuestUsage>): GuestUsage => ({
  ...{ cpuSeconds: 0, memoryBytes: 0, diskBytes: 0, receivedBytes: 0, sentBytes: 0 },
  ...change,
});

let state = { memoryMiB: 0, availableMemoryMiB: 0, diskBytes: 0, freeDiskBytes: 0 };
let cpus = { busySeconds: 0, totalSeconds: 0 };
let now = 0;
let guests: Guest[] = [];
let changes = 0;
let cached = 0;
const usages = new Map<string, GuestUsage>();
const log: string[] = [];

beforeEach(() => {
  state = {
    ...{ memoryMiB: 16_384, availableMemoryMiB: 15_384 },
    ...{ diskBytes: 500 * GIB, freeDiskBytes: 300 * GIB },
  };
  [cpus, now, guests, changes, cached] = [{ busySeconds: 0, totalSeconds: 0 }, 0, [], 0, 0];
  usages.clear();
  log.length = 0;
});

function open(flags: Record<string, string> = {}): Promise<HostWatch> {
  const settings = { discovery: 'https://discovery.example', cpus: '1', memory: '50%', ...flags };
  const config = readConfig(settings, { XDG_CONFIG_HOME: '/nowhere' });
  return HostWatch.open({
    ...{ config: () => config, folder: import.meta.dirname, guests: () => guests, now: () => now },
    usage: async (vmId) => {
      const usage = usages.get(vmId);
      if (usage) return usage;
      throw new DriverError('absent', 'There is no such guest.');
    },
    makeRoom: async (bytes) => {
      const made = Math.min(bytes, cached);
      cached -= made;
      return made;
    },
    measureHost: async () => state,
    measureCpus: () => cpus,
    log: pino({ level: 'info' }, { write: (line: string) => void log.push(line) }),
    changed: () => void (changes += 1),
  });
}

/** A minute in which so much of the CPUs was busy. */
async function minute(host: HostWatch, busyPercent: number): Promise<void> {
  cpus = {
    busySeconds: cpus.busySeconds + busyPercent,
    totalSeconds: cpus.totalSeconds + 100,
  };
  for (let passed = 0; passed < guestsMillis; passed += lookMillis) {
    now += lookMillis;
    await host.look();
  }
}

describe('the machine', () => {
  test('is not busy by what its guests do, and is by anything else', async () => {
    guests = [{ vmId: 'vm_a', runningMiB: 1024 }];
    usages.set('vm_a', usageOf({ cpuSeconds: 1000, memoryBytes: 1024 * MIB }));
    const host = await open();
    let cpuSeconds = 1000;
    for (let n = 0; n < 5; n += 1) {
      cpuSeconds += 95;
      usages.set('vm_a', usageOf({ cpuSeconds, memoryBytes: 1024 * MIB }));
      await minute(host, 99);
    }
    expect(host.facts.load.cpu).toBeCloseTo(4);
    expect(host.facts.used.cpuSeconds).toBe(475);
    expect(host.closed()).toBeUndefined();
    expect(changes).toBe(0);

    for (let n = 0; n < 2; n += 1) await minute(host, 96);
    expect(host.closed()).toContain('its own work takes 96 % of its CPUs');
    expect(changes).toBe(1);
    for (let n = 0; n < 2; n += 1) await minute(host, 20);
    expect(host.closed()).toBeUndefined();
    expect(changes).toBe(2);
  });

  test('gives no memory away that something else has taken since', async () => {
    const host = await open({ memory: '14' });
    expect(host.capacity()).toMatchObject({ memoryMiB: 14 * 1024 });
    state = { ...state, availableMemoryMiB: 6000 };
    await host.refresh();
    expect(host.capacity()).toMatchObject({ memoryMiB: 5888 });
    expect(changes).toBe(1);
    // A little more is no news, much more is.
    state = { ...state, availableMemoryMiB: 6200 };
    await host.refresh();
    expect([host.capacity().memoryMiB, changes]).toEqual([5888, 1]);
    state = { ...state, availableMemoryMiB: 9000 };
    await host.refresh();
    expect([host.capacity().memoryMiB, changes]).toEqual([8960, 2]);
  });

  test('counts what a guest has not taken yet as taken, and a disk that may still grow', async () => {
    guests = [{ vmId: 'vm_a', runningMiB: 4096 }];
    usages.set('vm_a', usageOf({ memoryBytes: 1024 * MIB, diskBytes: 50 * GIB }));
    state = { ...state, availableMemoryMiB: 15_000, freeDiskBytes: 100 * GIB };
    const host = await open({ memory: '14', storage: '500' });
    // 384 MiB are used by others: less than the reserve, which is what stays with the machine.
    expect(host.capacity()).toMatchObject({ memoryMiB: 14_336, storageGiB: 140 });
    expect(host.facts.held).toEqual({ memoryMiB: 1024, diskBytes: 50 * GIB });
  });

  test('learns at the next look what a guest that is new holds', async () => {
    const host = await open({ memory: '14' });
    guests = [{ vmId: 'vm_a', runningMiB: 8192 }];
    usages.set('vm_a', usageOf({ memoryBytes: 8192 * MIB }));
    state = { ...state, availableMemoryMiB: 15_384 - 8192 };
    now += lookMillis;
    await host.look();
    expect(host.facts.held.memoryMiB).toBe(8192);
    expect(host.capacity()).toMatchObject({ memoryMiB: 14 * 1024 });
  });

  test('makes room on a disk that gets full, and says so before it is', async () => {
    const host = await open({ 'stop-at-disk': '100%' });
    cached = 5 * GIB;
    state = { ...state, freeDiskBytes: 8 * GIB };
    await host.look();
    expect(cached).toBe(3 * GIB);
    expect(host.capacity().storageGiB).toBe(0);
    state = { ...state, freeDiskBytes: 0.5 * GIB };
    await host.look();
    await host.look();
    expect(cached).toBe(0);
    expect(log.filter((line) => line.includes('almost full'))).toHaveLength(1);
  });

  test('is not asked about by memory guests, which take none of it', async () => {
    state = { ...state, availableMemoryMiB: 100, freeDiskBytes: GIB };
    const host = await open({ driver: 'memory', memory: '64', storage: '1000', cpus: '64' });
    await host.refresh();
    expect(host.capacity()).toMatchObject({ cpus: 64, memoryMiB: 65_536, storageGiB: 1000 });
  });
});
