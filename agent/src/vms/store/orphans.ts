/** Guests that belong to no VM, from when they were first seen until they are gone. */
import type { OrphanRecord } from '../records.ts';
import type { Database } from './database.ts';
import { orphanRow } from './rows.ts';

export class OrphanTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  all(): OrphanRecord[] {
    return this.#db
      .all('SELECT * FROM orphans ORDER BY first_seen, vm_id')
      .map((row) => orphanRow.parse(row));
  }

  insert({ vmId, firstSeen, ended }: OrphanRecord): void {
    this.#db.run(
      'INSERT INTO orphans (vm_id, first_seen, ended) VALUES (?, ?, ?)',
      ...[vmId, firstSeen, ended ? 1 : 0],
    );
  }

  remove(vmId: string): void {
    this.#db.run('DELETE FROM orphans WHERE vm_id = ?', vmId);
  }
}
