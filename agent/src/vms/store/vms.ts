/** VMs, those that are gone included for as long as they are remembered. */
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { Resources } from '@vm-on-golem/shared/vm';
import type { NewVm, VmChange, VmRecord } from '../records.ts';
import type { Database, Value } from './database.ts';
import type { Holding } from '../policy.ts';
import { amountsRow, holdingRow, vmRow } from './rows.ts';

export class VmTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  insert(vm: NewVm): void {
    const { cpus, memoryMiB, storageGiB } = vm.resources;
    this.#db.run(
      `INSERT INTO vms (id, owner, name, phase, image, cpus, memory_mib, storage_gib, hourly_price,
        storage_price, user, host_key, labels, created_at, lease_until, destroy_at, collect_by)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[vm.id, vm.owner, vm.name, vm.phase, vm.image, cpus, memoryMiB, storageGiB],
      ...[vm.hourlyPrice, vm.storagePrice, vm.user, vm.hostKey],
      ...[vm.labels ? JSON.stringify(vm.labels) : null],
      ...[vm.createdAt, vm.leaseUntil, vm.destroyAt, vm.collectBy],
    );
  }

  /** Only the recorder calls this: nothing changes without being recorded. */
  update(id: string, change: VmChange): void {
    const columns = columnsOf(change);
    const names = Object.keys(columns);
    if (names.length === 0) return;
    this.#db.run(
      `UPDATE vms SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE id = ?`,
      ...Object.values(columns),
      id,
    );
  }

  /** @returns undefined when there is none, or none any more. */
  get(id: string): VmRecord | undefined {
    return this.#select('WHERE id = ? AND gone_at IS NULL', id)[0];
  }

  /** VMs of this name that others share with `requestor`. */
  sharedByName(requestor: string, name: string): VmRecord[] {
    return this.#select(
      `WHERE name = ?2 AND gone_at IS NULL
        AND id IN (SELECT vm_id FROM vm_grants WHERE requestor = ?1) ORDER BY seq`,
      ...[requestor, name],
    );
  }

  byName(owner: string, name: string): VmRecord | undefined {
    return this.#select('WHERE owner = ? AND name = ? AND gone_at IS NULL', owner, name)[0];
  }

  live(): VmRecord[] {
    return this.#select('WHERE gone_at IS NULL ORDER BY seq');
  }

  /** Those of `requestor`, and those that are shared with them. */
  visibleTo(
    { requestor, shared }: { readonly requestor: string; readonly shared: boolean },
    afterSeq: number,
    limit: number,
  ): VmRecord[] {
    return this.#select(
      `WHERE (owner = ?1 OR (?4 AND id IN (SELECT vm_id FROM vm_grants WHERE requestor = ?1)))
        AND seq > ?2 AND gone_at IS NULL ORDER BY seq LIMIT ?3`,
      ...[requestor, afterSeq, limit, shared ? 1 : 0],
    );
  }

  /** The last VM of this name that is gone, for as long as it is remembered. */
  goneByName(owner: string, name: string): VmRecord | undefined {
    return this.#select(
      'WHERE owner = ? AND name = ? AND gone_at IS NOT NULL ORDER BY seq DESC LIMIT 1',
      ...[owner, name],
    )[0];
  }

  gone(id: string): VmRecord | undefined {
    return this.#select('WHERE id = ? AND gone_at IS NOT NULL', id)[0];
  }

  /** What all VMs together hold, half-made and half-removed ones included. */
  taken(): Amounts {
    const row = this.#db.get(
      `SELECT COALESCE(SUM(${larger('cpus', 'cpus')}), 0) cpus,
        COALESCE(SUM(${larger('memory_mib', 'memoryMiB')}), 0) memoryMiB,
        COALESCE(SUM(${larger('storage_gib', 'storageGiB')}), 0) storageGiB,
        COUNT(*) vms FROM vms WHERE gone_at IS NULL`,
    );
    return amountsRow.parse(row);
  }

  /** What each requestor holds, half-made and half-removed VMs included. */
  holdings(): Holding[] {
    return this.#db
      .all(
        `SELECT owner, COUNT(*) vms, SUM(${larger('cpus', 'cpus')}) cpus,
          SUM(${larger('memory_mib', 'memoryMiB')}) memoryMiB FROM vms
          WHERE gone_at IS NULL GROUP BY owner`,
      )
      .map((row) => holdingRow.parse(row));
  }

  /** @param before milliseconds since 1970 */
  prune(before: number): void {
    this.#db.run('DELETE FROM vms WHERE gone_at < ?', before);
  }

  #select(where: string, ...values: readonly Value[]): VmRecord[] {
    return this.#db.all(`SELECT * FROM vms ${where}`, ...values).map((row) => vmRow.parse(row));
  }
}

function larger(column: string, key: keyof Resources): string {
  return `MAX(${column}, COALESCE(growing ->> '${key}', 0))`;
}

/** In a fixed order, so that equal changes are one prepared statement. */
function columnsOf({ resources, ...change }: VmChange): Record<string, Value> {
  const columns: Record<string, Value> = {};
  if (resources) {
    columns['cpus'] = resources.cpus;
    columns['memory_mib'] = resources.memoryMiB;
    columns['storage_gib'] = resources.storageGiB;
  }
  for (const [key, column] of COLUMNS) {
    const value = change[key];
    if (value === undefined) continue;
    if (typeof value === 'boolean') columns[column] = value ? 1 : 0;
    else columns[column] = typeof value === 'object' && value ? JSON.stringify(value) : value;
  }
  return columns;
}

const COLUMNS: readonly (readonly [Exclude<keyof VmChange, 'resources'>, string])[] = [
  ['owner', 'owner'],
  ['phase', 'phase'],
  ['power', 'power'],
  ['removing', 'removing'],
  ['growing', 'growing'],
  ['hourlyPrice', 'hourly_price'],
  ['storagePrice', 'storage_price'],
  ['leaseUntil', 'lease_until'],
  ['destroyAt', 'destroy_at'],
  ['collectBy', 'collect_by'],
  ['hold', 'hold'],
  ['boot', 'boot'],
  ['goneAt', 'gone_at'],
  ['goneBy', 'gone_by'],
  ['goneWhy', 'gone_why'],
];
