/** Single things that outlive the agent: its mode, where its clock stands. One JSON value by name. */
import type * as z from 'zod';
import type { Database } from './database.ts';

export class FactTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  get<Schema extends z.ZodType>(name: string, schema: Schema): z.output<Schema> | undefined {
    const row = this.#db.get('SELECT value FROM facts WHERE name = ?', name);
    if (row === undefined) return undefined;
    return schema.parse(JSON.parse((row as { value: string }).value));
  }

  put(name: string, value: unknown): void {
    this.#db.run(
      'INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)',
      ...[name, JSON.stringify(value)],
    );
  }
}
