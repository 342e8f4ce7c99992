/** Commands that were accepted, by owner and idempotency key, with their answers. */
import type { Remembered } from '../records.ts';
import type { Database } from './database.ts';
import { rememberedRow } from './rows.ts';

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
