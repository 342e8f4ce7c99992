/** The meter on disk: a provider that is started anew has not used less. */
import * as z from 'zod';
import type { Database } from '../vms/store/database.ts';
import { newMeter, type Meter, type Reading } from './meter.ts';

const bytes = z.number().int().nonnegative();
const monthRow = z.object({ month: z.string(), received: bytes, sent: bytes });
const seenRow = z.object({ source: z.string(), received: bytes, sent: bytes });

export class TrafficTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  load(now: number): Meter {
    const row = this.#db.get('SELECT * FROM traffic_months ORDER BY month DESC LIMIT 1');
    if (row === undefined) return newMeter(now);
    const { month, received, sent } = monthRow.parse(row);
    const seen = this.#db.all('SELECT * FROM traffic_seen').map((each) => seenRow.parse(each));
    return {
      ...{ month, receivedBytes: received, sentBytes: sent },
      seen: new Map(
        seen.map((each) => [each.source, { receivedBytes: each.received, sentBytes: each.sent }]),
      ),
    };
  }

  /** What was counted in a month. */
  used(month: string): Reading | undefined {
    const row = this.#db.get('SELECT * FROM traffic_months WHERE month = ?', month);
    if (row === undefined) return undefined;
    const { received, sent } = monthRow.parse(row);
    return { receivedBytes: received, sentBytes: sent };
  }

  /** Months after it are forgotten: they are yet to come. */
  save({ month, receivedBytes, sentBytes, seen }: Meter): void {
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT OR REPLACE INTO traffic_months (month, received, sent) VALUES (?, ?, ?)',
        ...[month, receivedBytes, sentBytes],
      );
      this.#db.run('DELETE FROM traffic_months WHERE month > ?', month);
      this.#db.run('DELETE FROM traffic_seen');
      for (const [source, reading] of seen) {
        this.#db.run(
          'INSERT INTO traffic_seen (source, received, sent) VALUES (?, ?, ?)',
          ...[source, reading.receivedBytes, reading.sentBytes],
        );
      }
    });
  }
}
