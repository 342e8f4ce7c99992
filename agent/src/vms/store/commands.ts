/** Commands that were accepted, by owner and idempotency key, with their answers. */
import * as z from 'zod';
import type { Remembered } from '../records.ts';
import type { Database } from './database.ts';
import { rememberedRow } from './rows.ts';

const countRow = z.object({ count: z.number(), oldest: z.number() });

export class CommandTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** @param since milliseconds since 1970: older ones count no more */
  get(owner: string, key: string, since: number): Remembered | undefined {
    const row = this.#db.get(
      'SELECT digest, status, body FROM idempotency WHERE owner = ? AND key = ? AND at >= ?',
      ...[owner, key, since],
    );
    return row === undefined ? undefined : rememberedRow.parse(row);
  }

  /** How many there are of an owner, and from when the first one is; 0 when there is none. */
  count(owner: string, since: number): z.infer<typeof countRow> {
    return countRow.parse(
      this.#db.get(
        `SELECT COUNT(*) count, COALESCE(MIN(at), 0) oldest FROM idempotency
          WHERE owner = ? AND at >= ?`,
        ...[owner, since],
      ),
    );
  }

  put(owner: string, key: string, { digest, status, body }: Remembered, at: number): void {
    this.#db.run(
      'INSERT OR REPLACE INTO idempotency (owner, key, digest, status, body, at) VALUES (?, ?, ?, ?, ?, ?)',
      ...[owner, key, digest, status, body, at],
    );
  }

  /** @param before milliseconds since 1970 */
  prune(before: number): void {
    this.#db.run('DELETE FROM idempotency WHERE at < ?', before);
  }
}
