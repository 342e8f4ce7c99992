/**
 * The truth about this provider's VMs, on disk. Synchronous throughout: what is read and written in
 * one `transaction` nothing else comes between, and when a call returns it survives a power cut.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Stage } from '@vm-on-golem/shared/api';
import { GolemError, type ErrorBody } from '@vm-on-golem/shared/errors';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { VmPhase } from './machine.ts';
import type { EventRecord, OperationRecord, Remembered, VmRecord } from './records.ts';
import { amountsRow, eventRow, operationRow, rememberedRow, vmRow } from './rows.ts';
import { migrate } from './schema.ts';

export type NewVm = Omit<VmRecord, 'seq' | 'removing' | 'goneAt'>;
export type NewOperation = Omit<OperationRecord, 'state' | 'error'>;

export class Store implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @throws {GolemError} `duplicate_identity` when another agent has this store open. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    try {
      // Held until the process ends, however it ends: two agents never share a store.
      this.#db.exec(`
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA foreign_keys = ON;
      `);
      migrate(this.#db);
      this.#db.exec('BEGIN IMMEDIATE; COMMIT;');
    } catch (cause) {
      this.#db.close();
      if (!isLocked(cause)) throw cause;
      throw new GolemError(
        'duplicate_identity',
        'Another golem-provider runs with this data folder.',
        { hint: 'Stop it, or give this one its own --data-dir.', cause },
      );
    }
  }

  /** All of what `work` does, or nothing when it throws. */
  transaction<Result>(work: () => Result): Result {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  insertVm(vm: NewVm): void {
    const { cpus, memoryMiB, storageGiB } = vm.resources;
    this.#run(
      `INSERT INTO vms (id, owner, name, phase, image, cpus, memory_mib, storage_gib, hourly_price,
        user, host_key, labels, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[vm.id, vm.owner, vm.name, vm.phase, vm.image, cpus, memoryMiB, storageGiB],
      ...[vm.hourlyPrice, vm.user, vm.hostKey, vm.labels ? JSON.stringify(vm.labels) : null],
      vm.createdAt,
    );
  }

  /** @returns undefined when there is none, or none any more. */
  vm(id: string): VmRecord | undefined {
    return this.#vms('WHERE id = ? AND gone_at IS NULL', id)[0];
  }

  vmByName(owner: string, name: string): VmRecord | undefined {
    return this.#vms('WHERE owner = ? AND name = ? AND gone_at IS NULL', owner, name)[0];
  }

  liveVms(): VmRecord[] {
    return this.#vms('WHERE gone_at IS NULL ORDER BY seq');
  }

  vmsOf(owner: string, afterSeq: number, limit: number): VmRecord[] {
    return this.#vms(
      'WHERE owner = ? AND seq > ? AND gone_at IS NULL ORDER BY seq LIMIT ?',
      ...[owner, afterSeq, limit],
    );
  }

  /** What all VMs together hold, half-made and half-removed ones included. */
  taken(): Amounts {
    const row = this.#get(
      `SELECT COALESCE(SUM(cpus), 0) cpus, COALESCE(SUM(memory_mib), 0) memoryMiB,
        COALESCE(SUM(storage_gib), 0) storageGiB, COUNT(*) vms FROM vms WHERE gone_at IS NULL`,
    );
    return amountsRow.parse(row);
  }

  setPhase(id: string, phase: VmPhase): void {
    this.#run('UPDATE vms SET phase = ? WHERE id = ?', phase, id);
  }

  /** From here on nothing but the VM's removal follows. */
  setRemoving(id: string): void {
    this.#run('UPDATE vms SET removing = 1 WHERE id = ?', id);
  }

  setGone(id: string, at: number): void {
    this.#run('UPDATE vms SET gone_at = ? WHERE id = ?', at, id);
  }

  insertOperation({ id, vmId, owner, kind }: NewOperation): void {
    this.#run(
      `INSERT INTO operations (id, vm_id, owner, kind, state) VALUES (?, ?, ?, ?, 'running')`,
      ...[id, vmId, owner, kind],
    );
  }

  operation(id: string): OperationRecord | undefined {
    return this.#operations('WHERE id = ?', id)[0];
  }

  runningOperations(): OperationRecord[] {
    return this.#operations(`WHERE state = 'running'`);
  }

  finishOperation(
    id: string,
    state: 'succeeded' | 'failed',
    error: ErrorBody['error'] | undefined,
    at: number,
  ): void {
    this.#run(
      'UPDATE operations SET state = ?, error = ?, finished_at = ? WHERE id = ?',
      ...[state, error ? JSON.stringify(error) : null, at, id],
    );
  }

  appendEvent(operation: string, stage: Stage, at: number): void {
    this.#run(
      `INSERT INTO events (operation, n, at, stage)
        SELECT ?1, COALESCE(MAX(n), 0) + 1, ?2, ?3 FROM events WHERE operation = ?1`,
      ...[operation, at, stage],
    );
  }

  events(operation: string, after: number, limit: number): EventRecord[] {
    return this.#all(
      'SELECT n, at, stage FROM events WHERE operation = ? AND n > ? ORDER BY n LIMIT ?',
      ...[operation, after, limit],
    ).map((row) => eventRow.parse(row));
  }

  remembered(owner: string, key: string, since: number): Remembered | undefined {
    const row = this.#get(
      'SELECT digest, status, body FROM idempotency WHERE owner = ? AND key = ? AND at >= ?',
      ...[owner, key, since],
    );
    return row === undefined ? undefined : rememberedRow.parse(row);
  }

  remember(owner: string, key: string, { digest, status, body }: Remembered, at: number): void {
    this.#run(
      'INSERT OR REPLACE INTO idempotency (owner, key, digest, status, body, at) VALUES (?, ?, ?, ?, ?, ?)',
      ...[owner, key, digest, status, body, at],
    );
  }

  /** Forgets what nobody may ask for any more. Times in milliseconds since 1970. */
  prune(before: { readonly idempotency: number; readonly history: number }): void {
    this.transaction(() => {
      this.#run('DELETE FROM idempotency WHERE at < ?', before.idempotency);
      this.#run('DELETE FROM operations WHERE finished_at < ?', before.history);
      this.#run('DELETE FROM vms WHERE gone_at < ?', before.history);
    });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #vms(where: string, ...values: Value[]): VmRecord[] {
    return this.#all(`SELECT * FROM vms ${where}`, ...values).map((row) => vmRow.parse(row));
  }

  #operations(where: string, ...values: Value[]): OperationRecord[] {
    return this.#all(`SELECT * FROM operations ${where}`, ...values).map((row) =>
      operationRow.parse(row),
    );
  }

  #run(sql: string, ...values: Value[]): void {
    this.#statement(sql).run(...values);
  }

  #get(sql: string, ...values: Value[]): unknown {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: Value[]): unknown[] {
    return this.#statement(sql).all(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }
}

type Value = string | number | null;

/** SQLITE_BUSY. */
function isLocked(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}
