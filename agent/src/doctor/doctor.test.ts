import { describe, expect, test } from 'vitest';
import { judgeVirtualisation } from './machine.ts';
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
