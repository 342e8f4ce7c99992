/** Which start of the machine this is, and how long ago it was. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { promisify } from 'node:util';
import type { Host } from './vms/leases/clock.ts';

const UUID = /^[0-9a-f-]{36}$/i;

/** @throws when the machine does not say. */
export async function readHost(): Promise<Host> {
  // Counts the time that the machine slept, and does not move when the wall clock is set.
  return { bootId: await readBootId(), uptime: () => Math.round(uptime() * 1000) };
}

async function readBootId(): Promise<string> {
  if (process.platform === 'darwin') {
    const { stdout } = await promisify(execFile)('/usr/sbin/sysctl', [
      '-n',
      'kern.bootsessionuuid',
    ]);
    return checkUuid(stdout);
  }
  const boot = checkUuid(await readFile('/proc/sys/kernel/random/boot_id', 'utf8'));
  // In a container guests go down with it: its first process is as old as it is.
  const startedAt = startTime(await readFile('/proc/1/stat', 'utf8').catch(() => ''));
  return startedAt === undefined ? boot : `${boot}/${startedAt}`;
}

function checkUuid(text: string): string {
  const id = text.trim();
  if (!UUID.test(id)) throw new Error(`the machine names its boot '${id}'`);
  return id;
}

/**
 * Field 22 of `/proc/PID/stat`: clock ticks from the start of the machine to that of the process. The
 * second field is a name in parentheses that may hold anything.
 */
export function startTime(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields[19];
  return ticks !== undefined && /^\d+$/.test(ticks) ? ticks : undefined;
}
