import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Status } from '../control/schemas.ts';
import { diagnosisLines } from './diagnosis.ts';
import { modeLines } from './mode.ts';
import { frame, wantsColour } from './screen.ts';
import { statusLines } from './status.ts';
import { table } from './table.ts';
import { bytes, duration, localTime, memory, usd } from './units.ts';
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
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [1024 ** 4 * 5000, '5000.0 TiB'],
  ])('%i bytes are %s', (count, text) => expect(bytes(count)).toBe(text));

  test.each([
    ['UTC', '2026-11-25 12:00 UTC'],
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

describe('the status', () => {
  const status: Status = {
    version: '1.2.3',
    pid: 42,
    startedAt: '2026-11-25T11:00:00.000Z',
    supervisor: null,
    provider: 'gp_abcdefghijklmnopqrstuvwxyz',
    name: 'attic',
    discovery: 'https://discovery.example',
    dataDir: '/data',
    logFile: null,
    link: { phase: 'connected', since: '2026-11-25T11:00:05.000Z' },
    driver: 'qemu',
    accelerator: 'kvm',
    isolation: 'full',
    hypervisorReachable: true,
    mode: { kind: 'open' },
    closed: null,
    capacity: { cpus: 4, memoryMiB: 8192, storageGiB: 100, vms: 16 },
    available: { cpus: 3, memoryMiB: 4096, storageGiB: 80, vms: 15 },
    prices: { cpuHour: 5_000_000, memoryGiBHour: 2_000_000, storageGiBHour: 100_000 },
    vms: [],
    orphans: [],
    load: { cpu: null, memory: 41.6, disk: 99.4 },
    traffic: { received: 3 * 1024 ** 3, sent: 512, month: { used: 5 * 1024 ** 3, limit: null } },
    earnings: { today: 250_000_000, month: 12_000_000_000 },
    sessions: 2,
    waiting: [],
  };

  test('is on one screen', () => {
    expect(statusLines(status, NOW)).toEqual([
      'Provider  attic (gp_abcdefghijklmnopqrstuvwxyz)',
      'Link      connected to https://discovery.example for 59 min 55 s',
      'Guests    qemu with kvm, isolation full',
      'Rented    1 of 16 VMs, 2 SSH sessions open',
      'CPUs      1 of 4',
      'Memory    4 GiB of 8 GiB',
      'Disk      20 GiB of 100 GiB',
      'Load      CPU - beside guests, memory 42 %, disk 99 %',
      'Traffic   3.0 GiB to guests and 512 B from them; 5.0 GiB this month',
      'Earned    $0.25 today, $12.00 this month, in days of UTC',
      'Price     $5.84 a month for a small VM',
      'Running   for 1 h, pid 42',
      '',
      'New VMs are welcome.',
    ]);
  });

  test('says what somebody should look at, and nothing else', () => {
    const orphan = { vmId: 'vm_x', state: 'running', firstSeen: status.startedAt, removedAt: null };
    const troubled: Status = {
      ...status,
      hypervisorReachable: false,
      closed: 'The machine is too busy.',
      orphans: [orphan, orphan],
      waiting: ['cpus', 'driver'],
    };
    expect(statusLines(troubled, NOW).filter((line) => line.startsWith('!'))).toEqual([
      '! No new VMs are taken: The machine is too busy.',
      '! The hypervisor cannot be asked. Its guests are left alone.',
      '! 2 guests belong to no VM: see golem-provider orphans',
      '! Changed, and counts from the next start on: cpus, driver',
    ]);
  });
});

describe('a screen', () => {
  test('is one write, never larger than the terminal, and leaves nothing of what was there', () => {
    expect(frame(['title', 'x', '! look'], { rows: 3, columns: 4 }, true)).toBe(
      '\u001b[H\u001b[1mtitl\u001b[22m\u001b[K\r\nx\u001b[K\r\n\u001b[33m! lo\u001b[39m\u001b[K\u001b[J',
    );
    expect(frame(['a', '! b'], { rows: 3, columns: 4 }, false)).not.toContain('\u001b[1m');
    expect(wantsColour(true, { NO_COLOR: '1' })).toBe(false);
    expect(wantsColour(true, { NO_COLOR: '' })).toBe(true);
    const lines = fc.array(
      fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll(/\p{Cc}/gu, '')),
    );
    fc.assert(
      fc.property(lines, fc.nat({ max: 40 }), fc.nat({ max: 200 }), (shown, rows, columns) => {
        const text = stripVTControlCharacters(frame(shown, { rows, columns }, columns % 2 === 0));
        const drawn = text.split('\r\n');
        expect(drawn.length).toBeLessThanOrEqual(Math.max(1, rows));
        for (const line of drawn) expect(Array.from(line).length).toBeLessThanOrEqual(columns);
      }),
    );
  });
});

describe('a diagnosis', () => {
  const found = (what: string, fix?: string) => ({
    check: 'disk',
    level: 'failure' as const,
    what,
    ...(fix === undefined ? {} : { fix }),
  });

  test('stands below itself where a terminal would break it', () => {
    const paper = { colour: false, columns: 56 };
    expect(
      diagnosisLines(found('there is far too little room on it', 'take away what is old'), paper),
    ).toEqual([
      'FAIL  disk             there is far too little room on',
      '                       it',
      '                       → take away what is old',
    ]);
  });

  test('keeps its words and stays inside of the terminal, unless a word does not', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,20}$/), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(words, fc.integer({ min: 60, max: 200 }), (said, columns) => {
        const lines = diagnosisLines(found(said.join(' ')), { colour: false, columns });
        expect(lines.map((line) => line.slice(23)).join(' ')).toBe(said.join(' '));
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      }),
    );
  });

  test('is one line each where nothing breaks lines', () => {
    expect(
      diagnosisLines(found('a '.repeat(200).trim(), 'b '.repeat(200).trim()), { colour: false }),
    ).toHaveLength(2);
  });
});
