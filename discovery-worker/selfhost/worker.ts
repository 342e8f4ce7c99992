/** The worker on a machine of one's own: it brings its database up to date by itself. */
import { app } from '../src/app.ts';
import type { Env } from '../src/env.ts';

export { Hub, Limiter, Relay } from '../src/index.ts';

interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}

interface SelfhostEnv extends Env {
  /** In order. */
  readonly MIGRATIONS: readonly Migration[];
}

let migrated: Promise<void> | undefined;

export default {
  async fetch(request: Request, env: SelfhostEnv, ctx: ExecutionContext): Promise<Response> {
    migrated ??= migrate(env.DB, env.MIGRATIONS);
    try {
      await migrated;
    } catch (error) {
      migrated = undefined;
      throw error;
    }
    return app.fetch(request, env, ctx);
  },
};

/** Each migration applies whole or not at all, once: the table is the one that wrangler keeps. */
async function migrate(db: D1Database, migrations: readonly Migration[]): Promise<void> {
  await db
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT UNIQUE,
        applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
      )`,
    )
    .run();
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>();
  const applied = new Set(results.map(({ name }) => name));
  for (const { name, statements } of migrations) {
    if (applied.has(name)) continue;
    await db.batch([
      ...statements.map((statement) => db.prepare(statement)),
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ]);
  }
}
