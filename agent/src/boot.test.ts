import { describe, expect, test } from 'vitest';
import { readHost, startTime } from './boot.ts';

describe('the boot of the machine', () => {
  test('is the same whenever it is asked, and time in it goes on', async () => {
    const [one, two] = [await readHost(), await readHost()];
    expect(one.bootId).toBe(two.bootId);
    expect(one.bootId).toMatch(/^[0-9a-f-]{36}(?:\/\d+)?$/i);
    expect(two.uptime()).toBeGreaterThanOrEqual(one.uptime());
    expect(one.uptime()).toBeGreaterThan(0);
  });

  test.each([
    ['1 (systemd) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 29 1 1', '29'],
    ['1 (a ) b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 1', '4711'],
    ['1 (sh) S 0', undefined],
    ['', undefined],
  ])('a process begins where its line says so: %s', (stat, ticks) => {
    expect(startTime(stat)).toBe(ticks);
  });
});
