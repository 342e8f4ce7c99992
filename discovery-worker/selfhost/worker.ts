/**
 * The worker on a machine of one's own: it brings its database up to date by itself, and can be told
 * to stop.
 */
import { WorkerEntrypoint } from 'cloudflare:workers';
import { app } from '../src/app.ts';
import { settingsOf, type Env } from '../src/env.ts';
import { allHubs } from '../src/objects/hub/port.ts';

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

/**
 * Answers when all hubs have let their agents go. Behind the control socket alone, which nobody but
 * the user who runs the service can open.
 */
export class Shutdown extends WorkerEntrypoint<SelfhostEnv> {
  override async fetch(): Promise<Response> {
    const { HUB } = this.env;
    const hubs = allHubs(HUB, settingsOf(this.env).HUB_SHARDS);
    const ends = await Promise.allSettled(hubs.map((hub) => hub.shutDown()));
    const failed = ends.filter((end) => end.status === 'rejected');
    for (const { reason } of failed) console.error('a hub could not be shut down', reason);
    return new Response(null, { status: failed.length === 0 ? 204 : 500 });
  }
}

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
