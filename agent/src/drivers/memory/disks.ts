/** What can be done with the disk of a stopped memory guest. Pure. */
import { DriverError, type GuestSize, type GuestSnapshot } from '../driver.ts';
import type { GuestRecord } from './record.ts';

/** @throws {DriverError} `not_stopped` | `exists` */
export function withSnapshot(record: GuestRecord, name: string, createdAt: number): GuestRecord {
  checkStopped(record);
  if (record.snapshots.some((known) => known.name === name))
    throw new DriverError('exists', `There is a snapshot '${name}' already.`);
  return { ...record, snapshots: [...record.snapshots, { name, createdAt, disk: record.disk }] };
}

/** @throws {DriverError} `not_stopped` | `no_snapshot` */
export function restored(record: GuestRecord, name: string): GuestRecord {
  checkStopped(record);
  const snapshot = record.snapshots.find((known) => known.name === name);
  if (!snapshot) throw new DriverError('no_snapshot', `There is no snapshot '${name}'.`);
  return { ...record, disk: snapshot.disk };
}

/** @throws {DriverError} `not_stopped` */
export function withoutSnapshot(record: GuestRecord, name: string): GuestRecord {
  checkStopped(record);
  return { ...record, snapshots: record.snapshots.filter((known) => known.name !== name) };
}

export function snapshotsOf({ snapshots }: GuestRecord): GuestSnapshot[] {
  return snapshots.map(({ name, createdAt }) => ({ name, createdAt }));
}

/** @throws {DriverError} `not_stopped` | `failed` */
export function resized(record: GuestRecord, size: GuestSize): GuestRecord {
  checkStopped(record);
  if (size.storageGiB < record.size.storageGiB)
    throw new DriverError('failed', 'A disk cannot be made smaller.');
  if (size.memoryMiB < record.minMemoryMiB)
    throw new DriverError('failed', `The guest needs ${record.minMemoryMiB} MiB of memory.`);
  const { cpus, memoryMiB, storageGiB } = size;
  return { ...record, size: { cpus, memoryMiB, storageGiB } };
}

function checkStopped({ state }: GuestRecord): void {
  if (state !== 'stopped') throw new DriverError('not_stopped', 'The guest is not stopped.');
}
