/** What becomes of a memory guest when it is started, suspended or stopped. Pure. */
import type { GuestSpec } from '../driver.ts';
import type { GuestRecord } from './record.ts';

const CONSOLE_LINES = 100;

/** A guest that was just made: stopped, with an empty disk. */
export function made(spec: GuestSpec): Omit<GuestRecord, 'bootId'> {
  const { cpus, memoryMiB, storageGiB, image, hostKey } = spec;
  return {
    state: 'stopped',
    size: { cpus, memoryMiB, storageGiB },
    minMemoryMiB: image.minMemoryMiB,
    user: image.user,
    hostKey,
    seed: { userData: spec.seed.userData, metaData: spec.seed.metaData },
    console: [],
    dropped: 0,
    disk: {},
    memory: {},
    snapshots: [],
  };
}

/** @param bootId of this boot, if it is one: a suspended guest goes on in the one that it was in */
export function poweredOn(record: GuestRecord, bootId: string): GuestRecord {
  return record.state === 'suspended'
    ? logged({ ...record, state: 'running' }, 'memory guest: going on')
    : logged({ ...record, state: 'running', bootId, memory: {} }, 'memory guest: starting');
}

export function ready(record: GuestRecord, hostname: string): GuestRecord {
  return logged(record, `memory guest: ${hostname} is ready`);
}

export function suspended(record: GuestRecord): GuestRecord {
  return logged({ ...record, state: 'suspended' }, 'memory guest: suspended');
}

export function poweredOff(record: GuestRecord): GuestRecord {
  return logged({ ...record, state: 'stopped', memory: {} }, 'memory guest: powered off');
}

function logged(record: GuestRecord, line: string): GuestRecord {
  const lines = [...record.console, line];
  const gone = lines.splice(0, Math.max(0, lines.length - CONSOLE_LINES));
  const bytes = gone.reduce((sum, { length }) => sum + length + 1, 0);
  return { ...record, console: lines, dropped: record.dropped + bytes };
}
