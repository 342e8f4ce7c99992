import { describe, expect, test } from 'vitest';
import { judgeNetworks } from './isolation.ts';
import { judgeVirtualisation } from './machine.ts';
import { judgeProbe } from './probe.ts';
import { judgeClock } from './surroundings.ts';

describe('virtualisation', () => {
  const linux = { platform: 'linux', kvmOpens: true, kvmModule: true, cpuFlags: ['vmx'] } as const;
  test.each([
    [linux, false, 'ok', undefined],
    [{ ...linux, platform: 'darwin' }, false, 'ok', undefined],
    [{ ...linux, kvmOpens: false }, false, 'failure', 'usermod -aG kvm me'],
    [{ ...linux, kvmOpens: false }, true, 'failure', 'usermod -aG kvm me'],
    [{ ...linux, kvmOpens: false, kvmModule: false }, false, 'failure', 'modprobe'],
    [{ ...linux, kvmModule: false, cpuFlags: [] }, false, 'failure', 'firmware'],
    [{ ...linux, kvmModule: false, cpuFlags: [] }, true, 'warning', 'firmware'],
  ] as const)('%j, with emulation allowed: %s', (machine, allowed, level, fix) => {
    const found = judgeVirtualisation(machine, allowed, 'me');
    expect(found.level).toBe(level);
    if (fix === undefined) expect(found).not.toHaveProperty('fix');
    else expect(found.fix).toContain(fix);
  });
});

test('what two networks lack is said of both, and what helps once', () => {
  const problems = ['tap', 'pasta'].map((network) => ({
    ...{ network, why: 'it needs Linux.', hint: 'Use the multipass driver elsewhere.' },
  }));
  const found = {
    what: 'guests cannot be isolated: tap: it needs Linux. pasta: it needs Linux.',
    fix: 'Use the multipass driver elsewhere.',
  };
  expect(judgeNetworks(problems, false)).toEqual({ level: 'failure', ...found });
  expect(judgeNetworks(problems, true)).toEqual({ level: 'warning', ...found });
});

describe('the clock', () => {
  const at = 1_000_000_000_000;
  test.each([
    // Within what the answer took and what the header leaves out.
    [0, 'ok', 'agrees'],
    [-1_200, 'ok', 'agrees'],
    [1_900, 'ok', 'agrees'],
    [2_000, 'warning', '2 s behind'],
    [-11_200, 'warning', '10 s ahead of'],
    [30_000, 'failure', '30 s behind'],
    [-31_200, 'failure', '30 s ahead of'],
    [86_400_000, 'failure', '1 d behind'],
  ])('of discovery differs by %i ms: %s', (skew, level, what) => {
    const found = judgeClock({ ok: true, status: 200, millis: 200, date: at + skew, at });
    expect(found).toMatchObject({ level, what: expect.stringContaining(what) as string });
    expect(found.fix ?? 'timedatectl').toContain('timedatectl');
  });

  test('cannot be told where discovery does not say it', () => {
    const answer = { ok: true, status: 200, millis: 0, date: null, at };
    expect(judgeClock(answer).level).toBe('skipped');
  });
});

describe('the self-test', () => {
  const row = { destination: '192.168.1.1:80', what: 'a router' } as const;
  const inside = { ...row, expected: 'closed', seen: 'closed' } as const;
  const internet = { destination: '1.1.1.1:443', what: 'the Internet' } as const;

  test('is as good as what a guest saw', () => {
    const rows = [{ ...internet, expected: 'open', seen: 'open' } as const, inside];
    expect(judgeProbe({ rows, passed: true })).toEqual({
      level: 'ok',
      what: 'a guest reached the Internet, and none of 1 places that it must not',
    });
  });

  test.each([
    [{ ...inside, seen: 'open' }, 'a guest reached what it must not', '192.168.1.1:80'],
    [
      { ...internet, expected: 'open', seen: 'closed' },
      'a guest did not reach what it must',
      '1.1.1.1:443',
    ],
  ] as const)('names what is wrong: %j', (wrong, what, destination) => {
    const found = judgeProbe({ rows: [inside, wrong], passed: false });
    expect(found).toMatchObject({ level: 'failure', what });
    expect(found.details).toHaveLength(2);
    expect(found.details?.[1]).toMatch(new RegExp(`^${destination} `));
    expect(found.fix).not.toBe(undefined);
  });
});
