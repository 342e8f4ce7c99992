import { expect, test } from 'vitest';
import { cpuSecondsOf, residentBytesOf } from './usage.ts';

test('the time of a process is found behind whatever its name is', () => {
  const numbers = '1 4242 4242 0 -1 4194560 1 0 0 0 250 125 0 0 20 0 4 0 100 0 0';
  for (const name of ['qemu-system-x86', 'a b) S 9 9 (', ')']) {
    expect(cpuSecondsOf(`4242 (${name}) S ${numbers}\n`)).toBe(3.75);
  }
});

test('the memory that a process holds is its resident one', () => {
  expect(residentBytesOf('Name:\tq\nVmPeak:\t 900 kB\nVmRSS:\t  2048 kB\nThreads:\t4\n')).toBe(
    2 * 1024 * 1024,
  );
});
