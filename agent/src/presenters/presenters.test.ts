import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modeLines } from './mode.ts';
import { table } from './table.ts';
import { duration, localTime, memory, usd } from './units.ts';
import { orphanLines, vmLines } from './vms.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const HOUR = 3_600_000;

describe('units', () => {
  test.each([
    [0, '0 s'],
    [59_999, '59 s'],
    [61_000, '1 min 1 s'],
    [HOUR, '1 h'],
    [HOUR + 59_000, '1 h'],
    [26 * HOUR + 180_000, '1 d 2 h'],
    [-5, '0 s'],
  ])('%i ms are %s', (millis, text) => expect(duration(millis)).toBe(text));

  test.each([
    [0, '$0.00'],
    [13_000_000, '$0.013'],
    [100_000, '$0.0001'],
    [500_000_000, '$0.50'],
    [5_840_000_000, '$5.84'],
  ])('%i nano-dollars are %s', (nano, text) => expect(usd(nano)).toBe(text));

  test.each([
    [512, '512 MiB'],
    [8192, '8 GiB'],
    [1536, '1536 MiB'],
    [24_105, '23.5 GiB'],
  ])('%i MiB are %s', (mib, text) => expect(memory(mib)).toBe(text));

  test.each([
    ['UTC', '2026-11-25 12:00 UTC (+00:00)'],
    ['Europe/London', '2026-11-25 12:00 GMT (+00:00)'],
    ['Europe/Berlin', '2026-11-25 13:00 CET (+01:00)'],
    ['Asia/Kathmandu', '2026-11-25 17:45 (+05:45)'],
  ])('a time names its zone: %s', (zone, text) => expect(localTime(NOW, zone)).toBe(text));
});

test('a table lines up, fits where it can, and lets nobody move the cursor', () => {
  expect(
    table(
      ['A', 'LONG'],
      [
        ['one', '\u001b[2Jx\n'],
        ['two', 'y'],
      ],
    ),
  ).toEqual(['A    LONG', 'one   [2Jx', 'two  y']);
  const cells = fc.array(fc.tuple(fc.string(), fc.string(), fc.string()), { maxLength: 5 });
  fc.assert(
    fc.property(cells, fc.integer({ min: 30, max: 200 }), (rows, width) => {
      const lines = table(['A', 'B', 'C'], rows, width);
      expect(lines).toHaveLength(rows.length + 1);
      for (const line of lines) {
        expect(line.length).toBeLessThanOrEqual(width);
        expect(line).not.toMatch(/\p{Cc}/u);
      }
    }),
  );
});

describe('lists', () => {
  test('of VMs', () => {
    const vm = {
      id: 'vm_abcdefghijklmnopqrst',
      name: 'web',
      state: 'running' as const,
      image: 'debian-12',
      resources: { cpus: 2, memoryMiB: 4096, storageGiB: 20 },
      hourlyPrice: 20_000_000,
      user: 'debian',
      hostKey: 'ssh-ed25519 AAAA',
      createdAt: '2026-11-25T10:00:00.000Z',
      leaseUntil: '2026-11-25T15:00:00.000Z',
      owner: 'gr_abcdefghijklmnopqrstuvwxyz',
      ageSeconds: 7200,
    };
    expect(vmLines([vm], NOW)).toEqual([
      'NAME  STATE    CPU  MEMORY  DISK    AN HOUR  AGE  LEASE  OWNER                          ID',
      'web   running  2    4 GiB   20 GiB  $0.02    2 h  3 h    gr_abcdefghijklmnopqrstuvwxyz  vm_abcdefghijklmnopqrst',
    ]);
    const over = { ...vm, leaseUntil: '2026-11-25T11:00:00.000Z' };
    expect(vmLines([over], NOW)[1]).toContain('over');
    expect(vmLines([], NOW)).toEqual(['There are no VMs.']);
  });

  test('of orphans', () => {
    const orphan = {
      vmId: 'vm_abcdefghijklmnopqrst',
      state: 'running',
      firstSeen: '2026-11-25T10:00:00.000Z',
      removedAt: null,
    };
    expect(orphanLines([orphan], NOW)[1]).toBe(
      'vm_abcdefghijklmnopqrst  running  2 h       never by itself',
    );
    expect(orphanLines([], NOW)).toEqual(['There are no guests without a VM.']);
  });

  test('a drain says when, where and why', () => {
    const by = '2026-11-25T14:30:00.000Z';
    const lines = modeLines({ kind: 'draining', by, reason: 'new disks' }, NOW);
    expect(lines.join('\n')).toContain(`${localTime(Date.parse(by))}, in 2 h 30 min`);
    expect(lines.at(-1)).toBe('Reason given: new disks');
  });
});
