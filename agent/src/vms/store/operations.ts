/** The intent log: operations and the stages that each has passed. */
import type { Stage } from '@vm-on-golem/shared/api';
import type { ErrorBody } from '@vm-on-golem/shared/errors';
import type { EventRecord, NewOperation, OperationRecord } from '../records.ts';
import type { Database, Value } from './database.ts';
import { endedRow, eventRow, operationRow } from './rows.ts';

export class OperationTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  insert({ id, vmId, owner, kind, actor, args, request }: NewOperation): void {
    this.#db.run(
      `INSERT INTO operations (id, vm_id, owner, kind, actor, args, request, state)
        VALUES (?, ?, ?, ?, ?, ?, ?, 'running')`,
      ...[id, vmId, owner, kind, actor, JSON.stringify(args), request ?? null],
    );
  }

  get(id: string): OperationRecord | undefined {
    return this.#select('WHERE id = ?', id)[0];
  }

  running(): OperationRecord[] {
    return this.#select(`WHERE state = 'running'`);
  }

  /** The removal of a VM that is under way. */
  removal(vmId: string): OperationRecord | undefined {
    return this.#select(`WHERE vm_id = ? AND state = 'running' AND kind = 'destroy'`, vmId)[0];
  }

  /**
   * When creations of `owner` ended whose guest was booted and never ready, the latest first; those of VMs that
   * their provider put an end to are not among them.
   * @param since milliseconds since 1970
   */
  failedCreations(owner: string, since: number): number[] {
    return this.#db
      .all(
        `SELECT o.finished_at at FROM operations o JOIN vms v ON v.id = o.vm_id
          WHERE o.finished_at > ?2 AND o.owner = ?1 AND o.kind = 'create' AND o.state = 'failed'
            AND v.gone_by IS NOT 'provider'
            AND EXISTS (SELECT 1 FROM events e WHERE e.operation = o.id AND e.stage = 'boot')
          ORDER BY o.finished_at DESC`,
        ...[owner, since],
      )
      .map((row) => endedRow.parse(row).at);
  }

  hasStage(operation: string, stage: Stage): boolean {
    const sql = 'SELECT 1 FROM events WHERE operation = ? AND stage = ? LIMIT 1';
    return this.#db.get(sql, operation, stage) !== undefined;
  }

  finish(
    id: string,
    state: 'succeeded' | 'failed',
    error: ErrorBody['error'] | undefined,
    at: number,
  ): void {
    this.#db.run(
      'UPDATE operations SET state = ?, error = ?, finished_at = ? WHERE id = ?',
      ...[state, error ? JSON.stringify(error) : null, at, id],
    );
  }

  appendEvent(operation: string, stage: Stage, at: number): void {
    this.#db.run(
      `INSERT INTO events (operation, n, at, stage)
        SELECT ?1, COALESCE(MAX(n), 0) + 1, ?2, ?3 FROM events WHERE operation = ?1`,
      ...[operation, at, stage],
    );
  }

  events(operation: string, after: number, limit: number): EventRecord[] {
    return this.#db
      .all(
        'SELECT n, at, stage FROM events WHERE operation = ? AND n > ? ORDER BY n LIMIT ?',
        ...[operation, after, limit],
      )
      .map((row) => eventRow.parse(row));
  }

  /** @param before milliseconds since 1970 */
  prune(before: number): void {
    this.#db.run('DELETE FROM operations WHERE finished_at < ?', before);
  }

  #select(where: string, ...values: readonly Value[]): OperationRecord[] {
    return this.#db
      .all(`SELECT * FROM operations ${where}`, ...values)
      .map((row) => operationRow.parse(row));
  }
}
