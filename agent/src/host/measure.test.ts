import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { measureCpus, measureHost, parseVmStat, usedMemory } from './measure.ts';

test('this machine is measured', async () => {
  const state = await measureHost(tmpdir());
  expect(state.memoryMiB).toBeGreaterThan(100);
  expect(state.availableMemoryMiB).toBeGreaterThan(0);
  expect(state.availableMemoryMiB).toBeLessThanOrEqual(state.memoryMiB);
  expect(state.freeDiskBytes).toBeGreaterThan(0);
  expect(state.freeDiskBytes).toBeLessThanOrEqual(state.diskBytes);
  const before = measureCpus();
  for (const end = performance.now() + 100; performance.now() < end;);
  const after = measureCpus();
  expect(after.busySeconds).toBeGreaterThan(before.busySeconds);
  expect(after.totalSeconds).toBeGreaterThanOrEqual(after.busySeconds);
});

test('what macOS says is read', () => {
  const text = `Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            300000.
Pages inactive:                           20000.
Pages speculative:                         1000.
Pages throttled:                              0.
Pages wired down:                        100000.
Pages purgeable:                            500.
"Translation faults":                 987654321.
`;
  expect(parseVmStat(text)).toBe(31_500 * 16_384);
  expect(parseVmStat('vm_stat: no such thing')).toBeUndefined();
  expect(parseVmStat('')).toBeUndefined();
});

test('of the memory of a cgroup, copies of files do not count as used', () => {
  expect(usedMemory('1000000\n', 'anon 5\ninactive_file 300000\nactive_file 7\n')).toBe(700_000);
  expect(usedMemory('1000\n', 'inactive_file 3000\n')).toBe(0);
  expect(usedMemory('1000\n', '')).toBe(1000);
  expect(usedMemory('', '')).toBeUndefined();
});
