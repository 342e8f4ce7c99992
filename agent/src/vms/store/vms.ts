/** VMs, those that are gone included for as long as they are remembered. */
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { NewVm, VmChange, VmRecord } from '../records.ts';
import type { Database, Value } from './database.ts';
import { amountsRow, vmRow } from './rows.ts';

export class VmTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  insert(vm: NewVm): void {
    const { cpus, memoryMiB, storageGiB } = vm.resources;
    this.#db.run(
      `INSERT INTO vms (id, owner, name, phase, image, cpus, memory_mib, storage_gib, hourly_price,
        storage_price, user, host_key, labels, created_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[vm.id, vm.owner, vm.name, vm.phase, vm.image, cpus, memoryMiB, storageGiB],
      ...[vm.hourlyPrice, vm.storagePrice, vm.user, vm.hostKey],
      ...[vm.labels ? JSON.stringify(vm.labels) : null, vm.createdAt],
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

  byName(owner: string, name: string): VmRecord | undefined {
    return this.#select('WHERE owner = ? AND name = ? AND gone_at IS NULL', owner, name)[0];
  }

  live(): VmRecord[] {
    return this.#select('WHERE gone_at IS NULL ORDER BY seq');
  }

  of(owner: string, afterSeq: number, limit: number): VmRecord[] {
    return this.#select(
      'WHERE owner = ? AND seq > ? AND gone_at IS NULL ORDER BY seq LIMIT ?',
      ...[owner, afterSeq, limit],
    );
  }

  /** What all VMs together hold, half-made and half-removed ones included. */
  taken(): Amounts {
    const row = this.#db.get(
      `SELECT COALESCE(SUM(cpus), 0) cpus, COALESCE(SUM(memory_mib), 0) memoryMiB,
        COALESCE(SUM(storage_gib), 0) storageGiB, COUNT(*) vms FROM vms WHERE gone_at IS NULL`,
    );
    return amountsRow.parse(row);
  }

  /** @param before milliseconds since 1970 */
  prune(before: number): void {
    this.#db.run('DELETE FROM vms WHERE gone_at < ?', before);
  }

  #select(where: string, ...values: readonly Value[]): VmRecord[] {
    return this.#db.all(`SELECT * FROM vms ${where}`, ...values).map((row) => vmRow.parse(row));
  }
}

/** In a fixed order, so that equal changes are one prepared statement. */
function columnsOf({ phase, removing, goneAt }: VmChange): Record<string, Value> {
  return {
    ...(phase === undefined ? {} : { phase }),
    ...(removing === undefined ? {} : { removing: removing ? 1 : 0 }),
    ...(goneAt === undefined ? {} : { gone_at: goneAt }),
  };
}
