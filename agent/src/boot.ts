/** Which start of the machine this is, and how long ago it was. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { promisify } from 'node:util';
import type { Host } from './vms/leases/clock.ts';

const UUID = /^[0-9a-f-]{36}$/i;

/** @throws when the machine does not say. */
export async function readHost(): Promise<Host> {
  const text =
    process.platform === 'darwin'
      ? (await promisify(execFile)('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'])).stdout
      : await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  const bootId = text.trim();
  if (!UUID.test(bootId)) throw new Error(`the machine names its boot '${bootId}'`);
  // Counts the time that the machine slept, and does not move when the wall clock is set.
  return { bootId, uptime: () => Math.round(uptime() * 1000) };
}
