/** Events of VMs on disk, gone with the row of their VM. */
import { actorSchema, type Actor } from '@vm-on-golem/shared/vm-records';
import * as z from 'zod';
import type { Database } from '../store/database.ts';

const eventRow = z.object({
  n: z.number(),
  at: z.number(),
  kind: z.string(),
  by: actorSchema,
  message: z.string().nullable(),
});
export type VmEventRecord = z.infer<typeof eventRow>;

export interface NewVmEvent {
  readonly vmId: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: string;
  readonly by: Actor;
  readonly message: string | undefined;
}

export class VmEventTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** @param keep how many there may be: the first one, and the newest of the others */
  append({ vmId, at, kind, by, message }: NewVmEvent, keep: number): void {
    this.#db.run(
      `INSERT INTO vm_events (vm_id, n, at, kind, by, message)
        SELECT ?1, COALESCE(MAX(n), 0) + 1, ?2, ?3, ?4, ?5 FROM vm_events WHERE vm_id = ?1`,
      ...[vmId, at, kind, by, message ?? null],
    );
    this.#db.run(
      `DELETE FROM vm_events WHERE vm_id = ?1 AND n > 1
        AND n <= (SELECT MAX(n) FROM vm_events WHERE vm_id = ?1) - ?2`,
      ...[vmId, keep - 1],
    );
  }

  after(vmId: string, n: number, limit: number): VmEventRecord[] {
    return this.#db
      .all(
        'SELECT n, at, kind, by, message FROM vm_events WHERE vm_id = ? AND n > ? ORDER BY n LIMIT ?',
        ...[vmId, n, limit],
      )
      .map((row) => eventRow.parse(row));
  }
}
