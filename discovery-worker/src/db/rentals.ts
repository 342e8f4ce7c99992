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

/** Each row is followed by a look, so that there are few; SQLite has no offset without a limit. */
const MOST_TOO_MANY = 2_000;

type Source = (typeof rentals.source.enumValues)[number];

export interface Rental {
  readonly requestor: string;
  readonly provider: string;
  /** What is `own` once stays so. */
  readonly source: Source;
  /** Milliseconds since 1970. */
  readonly seenAt: number;
}

/** Remembers it, and forgets the oldest of the same source, requestor and provider that are too many. */
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

/** Where they ordered first, the latest before the others. */
export async function listRentals(
  d1: D1Database,
  requestor: string,
  { cursor, limit = LIMITS.list.pageMax }: MyProvidersQuery,
): Promise<MyProviders> {
  const list = `rentals ${requestor}`;
  const after = cursor === undefined ? undefined : await decodeCursor(list, cursor);
  const [source = '', seenAt = 0, provider = ''] = after ?? [];
  const rows = await drizzle(d1)
    .select()
    .from(rentals)
    .where(
      and(
        eq(rentals.requestor, requestor),
        after &&
          sql`(${rentals.source}, ${rentals.seenAt}, ${rentals.provider}) < (${source}, ${seenAt}, ${provider})`,
      ),
    )
    .orderBy(desc(rentals.source), desc(rentals.seenAt), desc(rentals.provider))
    .limit(limit + 1);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    providers: page.map((row) => ({
      provider: row.provider,
      seenAt: new Date(row.seenAt).toISOString(),
    })),
    next:
      last && rows.length > limit
        ? await encodeCursor(list, [last.source, last.seenAt, last.provider])
        : null,
  };
}

type Database = ReturnType<typeof drizzle>;

function upsert(db: Database, rental: Rental) {
  return db
    .insert(rentals)
    .values(rental)
    .onConflictDoUpdate({
      target: [rentals.requestor, rentals.provider],
      set: {
        seenAt: sql`max(excluded.seen_at, ${rentals.seenAt})`,
        // 'own' comes after 'granted'.
        source: sql`max(excluded.source, ${rentals.source})`,
      },
    });
}

/**
 * Rows of grants drive out rows of grants alone: anybody has them written of anybody. Rows of orders
 * take a provider that accepts them, which drives out its own, or a requestor who signs them.
 */
function prune(db: Database, { requestor, provider, source }: Rental) {
  const { perRequestor, perProvider } = DISCOVERY_LIMITS.rentals[source];
  const ofRequestor = and(eq(rentals.requestor, requestor), eq(rentals.source, source));
  const ofProvider = and(eq(rentals.provider, provider), eq(rentals.source, source));
  const providersTooMany = db
    .select({ provider: rentals.provider })
    .from(rentals)
    .where(ofRequestor)
    .orderBy(desc(rentals.seenAt), desc(rentals.provider))
    .limit(MOST_TOO_MANY)
    .offset(perRequestor);
  const requestorsTooMany = db
    .select({ requestor: rentals.requestor })
    .from(rentals)
    .where(ofProvider)
    .orderBy(desc(rentals.seenAt), desc(rentals.requestor))
    .limit(MOST_TOO_MANY)
    .offset(perProvider);
  return [
    db.delete(rentals).where(and(ofRequestor, inArray(rentals.provider, providersTooMany))),
    db.delete(rentals).where(and(ofProvider, inArray(rentals.requestor, requestorsTooMany))),
  ] as const;
}
