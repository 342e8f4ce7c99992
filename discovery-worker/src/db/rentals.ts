/**
 * Where requestors were seen to get a VM. A hint: only providers know who has what, so rows are
 * written after an answer, may be lost, and are never taken for a right to anything.
 */
import type { MyProviders, MyProvidersQuery } from '@vm-on-golem/shared/api';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { and, desc, eq, inArray, ne, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/d1';
import { DISCOVERY_LIMITS } from '../limits.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { rentals } from './schema.ts';

export interface Rental {
  readonly requestor: string;
  readonly provider: string;
  /** Milliseconds since 1970. */
  readonly seenAt: number;
}

/** Remembers it, and forgets the oldest of the same requestor and provider that are too many. */
export async function saveRental(d1: D1Database, rental: Rental): Promise<void> {
  const db = drizzle(d1);
  await db.batch([upsert(db, rental), ...prune(db, rental)]);
}

/** What was remembered of `from` at the provider is remembered of `rental.requestor`. */
export async function moveRental(d1: D1Database, from: string, rental: Rental): Promise<void> {
  const db = drizzle(d1);
  const { provider } = rental;
  await db.batch([
    upsert(db, rental),
    db
      .delete(rentals)
      .where(
        and(
          eq(rentals.requestor, from),
          ne(rentals.requestor, rental.requestor),
          eq(rentals.provider, provider),
        ),
      ),
    ...prune(db, rental),
  ]);
}

/** The latest first. */
export async function listRentals(
  d1: D1Database,
  requestor: string,
  { cursor, limit = LIMITS.list.pageMax }: MyProvidersQuery,
): Promise<MyProviders> {
  const list = `rentals ${requestor}`;
  const after = cursor === undefined ? undefined : await decodeCursor(list, cursor);
  const [seenAt = 0, provider = ''] = after ?? [];
  const rows = await drizzle(d1)
    .select()
    .from(rentals)
    .where(
      and(
        eq(rentals.requestor, requestor),
        after && sql`(${rentals.seenAt}, ${rentals.provider}) < (${seenAt}, ${provider})`,
      ),
    )
    .orderBy(desc(rentals.seenAt), desc(rentals.provider))
    .limit(limit + 1);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    providers: page.map((row) => ({
      provider: row.provider,
      seenAt: new Date(row.seenAt).toISOString(),
    })),
    next:
      last && rows.length > limit ? await encodeCursor(list, [last.seenAt, last.provider]) : null,
  };
}

type Database = ReturnType<typeof drizzle>;

function upsert(db: Database, rental: Rental) {
  return db
    .insert(rentals)
    .values(rental)
    .onConflictDoUpdate({
      target: [rentals.requestor, rentals.provider],
      set: { seenAt: sql`max(excluded.seen_at, ${rentals.seenAt})` },
    });
}

/** Whoever fills the table with made-up rentals drives out their own, and nobody else's. */
function prune(db: Database, { requestor, provider }: Rental) {
  const { perRequestor, perProvider } = DISCOVERY_LIMITS.rentals;
  const providersTooMany = db
    .select({ provider: rentals.provider })
    .from(rentals)
    .where(eq(rentals.requestor, requestor))
    .orderBy(desc(rentals.seenAt), desc(rentals.provider))
    .limit(perProvider)
    .offset(perRequestor);
  const requestorsTooMany = db
    .select({ requestor: rentals.requestor })
    .from(rentals)
    .where(eq(rentals.provider, provider))
    .orderBy(desc(rentals.seenAt), desc(rentals.requestor))
    .limit(perProvider)
    .offset(perProvider);
  return [
    db
      .delete(rentals)
      .where(and(eq(rentals.requestor, requestor), inArray(rentals.provider, providersTooMany))),
    db
      .delete(rentals)
      .where(and(eq(rentals.provider, provider), inArray(rentals.requestor, requestorsTooMany))),
  ] as const;
}
