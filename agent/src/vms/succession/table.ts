/** What is kept under a requestor's id, in all tables, goes to another id. */
import * as z from 'zod';
import type { Database } from '../store/database.ts';

const nameRow = z.object({ name: z.string() });
const idRow = z.object({ id: z.string() });

export class SuccessionTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** A name that both have a VM of. */
  clash(from: string, to: string): string | undefined {
    const row = this.#db.get(
      `SELECT a.name FROM vms a JOIN vms b ON b.name = a.name
        WHERE a.owner = ? AND b.owner = ? AND a.gone_at IS NULL AND b.gone_at IS NULL LIMIT 1`,
      ...[from, to],
    );
    return row === undefined ? undefined : nameRow.parse(row).name;
  }

  /** VMs of `owner` that are there. */
  vms(owner: string): string[] {
    return this.#ids('SELECT id FROM vms WHERE owner = ? AND gone_at IS NULL ORDER BY seq', owner);
  }

  /** VMs that others share with `requestor`. */
  shared(requestor: string): string[] {
    return this.#ids('SELECT vm_id id FROM vm_grants WHERE requestor = ?', requestor);
  }

  /** All but the VMs that are there, which the recorder changes. */
  move(from: string, to: string): void {
    this.#db.run('UPDATE vms SET owner = ?2 WHERE owner = ?1 AND gone_at IS NOT NULL', from, to);
    this.#db.run('UPDATE operations SET owner = ?2 WHERE owner = ?1', from, to);
    this.#db.run('UPDATE usage_vms SET owner = ?2 WHERE owner = ?1', from, to);
    this.#db.run('UPDATE OR REPLACE vm_grants SET requestor = ?2 WHERE requestor = ?1', from, to);
    // Nobody is let into their own VMs by a grant.
    this.#db.run(
      `DELETE FROM vm_grants WHERE requestor = ?1
        AND vm_id IN (SELECT id FROM vms WHERE owner = ?1)`,
      to,
    );
  }

  #ids(sql: string, owner: string): string[] {
    return this.#db.all(sql, owner).map((row) => idRow.parse(row).id);
  }
}
