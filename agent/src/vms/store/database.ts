/** One connection to the agent's SQLite file. Synchronous: when a call returns it survives a power cut. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { GolemError } from '@vm-on-golem/shared/errors';
import { migrate } from './schema.ts';

export type Value = string | number | null;

export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

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

  /**
   * All of what `work` does, or nothing when it throws. Within another transaction it is a part of
   * that one, which must then fail as well: nobody catches what a part throws.
   */
  transaction<Result>(work: () => Result): Result {
    if (this.#depth > 0) return work();
    this.#db.exec('BEGIN IMMEDIATE');
    this.#depth = 1;
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite ends the transaction by itself when the disk is full.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth = 0;
    }
  }

  run(sql: string, ...values: readonly Value[]): void {
    this.#statement(sql).run(...values);
  }

  get(sql: string, ...values: readonly Value[]): unknown {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: readonly Value[]): unknown[] {
    return this.#statement(sql).all(...values);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }
}

/** SQLITE_BUSY. */
function isLocked(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}
