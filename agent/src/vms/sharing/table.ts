/** Whom VMs are shared with, on disk. Gone with the row of their VM. */
import type { Database } from '../store/database.ts';
import * as z from 'zod';

const grantRow = z
  .object({ requestor: z.string(), ssh_key: z.string(), granted_at: z.number() })
  .transform(({ requestor, ssh_key: sshKey, granted_at: grantedAt }) => ({
    ...{ requestor, sshKey, grantedAt },
  }));
export type GrantRecord = z.infer<typeof grantRow>;

export class GrantTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** In the order in which they were given. */
  of(vmId: string): GrantRecord[] {
    return this.#db
      .all(
        `SELECT requestor, ssh_key, granted_at FROM vm_grants WHERE vm_id = ?
          ORDER BY granted_at, requestor`,
        vmId,
      )
      .map((row) => grantRow.parse(row));
  }

  has(vmId: string, requestor: string): boolean {
    const row = this.#db.get(
      'SELECT 1 FROM vm_grants WHERE vm_id = ? AND requestor = ?',
      ...[vmId, requestor],
    );
    return row !== undefined;
  }

  /** Again for the same requestor it replaces what there was. */
  put(vmId: string, { requestor, sshKey, grantedAt }: GrantRecord): void {
    this.#db.run(
      'INSERT OR REPLACE INTO vm_grants (vm_id, requestor, ssh_key, granted_at) VALUES (?, ?, ?, ?)',
      ...[vmId, requestor, sshKey, grantedAt],
    );
  }

  remove(vmId: string, requestor: string): void {
    this.#db.run('DELETE FROM vm_grants WHERE vm_id = ? AND requestor = ?', vmId, requestor);
  }
}
