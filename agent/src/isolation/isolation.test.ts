import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { destinations, evaluate, type SelfTestResult, type Surroundings } from './destinations.ts';
import { isolationSeen } from './gate.ts';
import { listeningPorts } from './surroundings.ts';

const surroundings: Surroundings = {
  internet: [
    { host: '198.51.100.2', port: 443 },
    { host: 'discovery.example', port: 443 },
  ],
  resolvers: ['1.1.1.1'],
  own: {
    machine: [
      { host: '192.168.1.5', port: 22 },
      { host: '2001:db8::5', port: 22 },
    ],
    loopbackPort: 4711,
    routers: [{ host: '192.168.1.1', port: 80 }],
    publicAddresses: [{ host: '203.0.113.9', port: 80 }],
    guests: [{ host: '10.214.0.2', port: 22 }],
  },
};

describe('the table', () => {
  const tried = destinations(surroundings);

  test('asks for the Internet and its names, and for everything else to be closed', () => {
    const open = tried.filter(({ expected }) => expected === 'open');
    expect(open.map(({ host, port }) => `${host}:${port}`)).toEqual([
      '198.51.100.2:443',
      'discovery.example:443',
      '1.1.1.1:53',
    ]);
    const closed = tried.filter(({ expected }) => expected === 'closed');
    const all = closed.map(({ host, port }) => `${host} ${port}`);
    for (const one of [
      ...['198.51.100.2 25', '192.168.1.5 22', '2001:db8::5 22', '10.0.2.2 4711'],
      ...['192.168.1.5 4711', '192.168.1.1 80', '203.0.113.9 80', '10.214.0.2 22'],
      ...['169.254.169.254 80', '100.64.0.1 80', 'fd00::1 80', '2606:4700:4700::1111 53'],
    ]) {
      expect(all).toContain(one);
    }
    expect(new Set(tried.map(({ host, port }) => `${host} ${port}`)).size).toBe(tried.length);
  });

  test('passes when everything is as it should be, and not when one row is not', () => {
    const open = new Set(tried.filter(({ expected }) => expected === 'open'));
    expect(evaluate(tried, open).passed).toBe(true);
    for (const one of tried) {
      const reached = new Set(open);
      if (!reached.delete(one)) reached.add(one);
      const { passed, rows } = evaluate(tried, reached);
      expect(passed).toBe(false);
      expect(rows.filter(({ expected, seen }) => expected !== seen)).toHaveLength(1);
    }
    expect(evaluate(tried, open).rows.at(-1)?.destination).toBe('[2606:4700:4700::1111]:53');
  });
});

test('ports that are listened on are read from the kernel, loopback left out', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 0A4DA8C0:1F56 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   3: 0A4DA8C0:0016 0B4DA8C0:C350 01 00000000:00000000 00:00000000 00000000     0
`;
  expect(listeningPorts(table)).toEqual([22, 8022]);
});

describe('the gate', () => {
  let dataDir: string;
  let tests: number;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'golem-'));
    tests = 0;
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  const row = { destination: '192.168.1.1:80', what: 'a router', expected: 'closed' } as const;
  const passing: SelfTestResult = { passed: true, rows: [{ ...row, seen: 'closed' }] };
  const failing: SelfTestResult = { passed: false, rows: [{ ...row, seen: 'open' }] };
  const { signal } = new AbortController();
  const seen = (result: SelfTestResult, { accept = false, bootId = 'a', setup = 'x' } = {}) => {
    const test = async () => {
      tests += 1;
      return result;
    };
    const log = pino({ level: 'silent' });
    return isolationSeen({ dataDir, bootId, setup, test, log }, accept, signal);
  };

  test('remembers what it saw until the machine is started again or set up in another way', async () => {
    expect(await seen(passing)).toBe('full');
    expect(await seen(failing)).toBe('full');
    expect(tests).toBe(1);
    await expect(seen(failing, { bootId: 'b' })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(seen(failing, { setup: 'y' })).rejects.toMatchObject({ code: 'unsupported' });
    expect(tests).toBe(3);
  });

  test('never remembers a failure, and says what was reached', async () => {
    await expect(seen(failing)).rejects.toMatchObject({
      message: 'Guests reach what they must not: 192.168.1.1:80 (a router).',
    });
    expect(await seen(failing, { accept: true })).toBe('none');
    expect(await seen(passing)).toBe('full');
    expect(tests).toBe(3);
  });
});
