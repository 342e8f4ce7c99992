/** What a process holds, from /proc (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory, in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Open files, sockets and pipes. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** @throws when `parent` has no child of this name */
export function childOf(parent: number, name: string): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const [comm, ppid] = statOf(entry) ?? [];
    if (comm === name && ppid === parent) return Number(entry);
  }
  throw new Error(`process ${parent} has no child '${name}'`);
}

/** Undefined for a process that has just ended. */
function statOf(pid: string): readonly [comm: string, ppid: number] | undefined {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const [, comm = '', ppid = ''] = /\((.*)\) \S (\d+)/.exec(stat) ?? [];
  return [comm, Number(ppid)];
}
