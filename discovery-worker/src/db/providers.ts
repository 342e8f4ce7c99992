/** The list of providers in D1. The only room that knows SQL. */
import type { Provider, ProvidersPage, ProvidersQuery } from '@vm-on-golem/shared/api';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { hourlyPrice } from '@vm-on-golem/shared/money';
import { offerSchema, type SignedOffer } from '@vm-on-golem/shared/offer';
import { fits, SIZES, type Resources, type SizeName } from '@vm-on-golem/shared/vm';
import { and, asc, desc, eq, gt, gte, lte, sql, type SQL } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/d1';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import { decodeCursor, encodeCursor, type Position } from './cursor.ts';
import { listable, providers } from './schema.ts';

/** What is to be shown of a provider. */
export interface Listing {
  readonly provider: string;
  /** Of the connection that says so. */
  readonly epoch: number;
  /** Verified. */
  readonly offer: SignedOffer;
  readonly country: string;
  readonly asn: number | null;
  readonly online: boolean;
  /** When it came online or went offline, in milliseconds since 1970. */
  readonly since: number;
}

type Row = typeof providers.$inferSelect;

/**
 * Writes all or none. A listing of an older epoch than the stored one changes nothing: the
 * provider has connected elsewhere meanwhile, and this hub's knowledge is stale.
 */
export async function saveListings(d1: D1Database, listings: readonly Listing[]): Promise<void> {
  const db = drizzle(d1);
  const [first, ...rest] = listings.map((listing) => {
    const { firstSeen, ...row } = rowOf(listing);
    return db
      .insert(providers)
      .values({ ...row, firstSeen })
      .onConflictDoUpdate({
        target: providers.id,
        set: row,
        setWhere: sql`excluded.epoch >= ${providers.epoch}`,
      });
  });
  if (first) await db.batch([first, ...rest]);
}

function rowOf(listing: Listing): Row {
  const offer = offerSchema.parse(JSON.parse(listing.offer.text));
  const { available, prices } = offer;
  return {
    id: listing.provider,
    epoch: listing.epoch,
    offerText: listing.offer.text,
    offerSignature: listing.offer.signature,
    online: listing.online,
    accepting: offer.accepting,
    since: listing.since,
    firstSeen: listing.since,
    country: listing.country,
    asn: listing.asn,
    arch: offer.arch,
    cpus: available.cpus,
    memoryMiB: available.memoryMiB,
    storageGiB: available.storageGiB,
    vms: available.vms,
    ...prices,
    priceSmall: hourlyPrice(prices, SIZES.small),
    priceMedium: hourlyPrice(prices, SIZES.medium),
    priceLarge: hourlyPrice(prices, SIZES.large),
    priceXlarge: hourlyPrice(prices, SIZES.xlarge),
  };
}

/** One provider, online or not, with its price for `spec`. */
export async function findProvider(
  d1: D1Database,
  id: string,
  spec: Resources,
): Promise<Provider | undefined> {
  const [row] = await drizzle(d1).select().from(providers).where(eq(providers.id, id));
  return row && present(row, spec);
}

/** Whether it was ever shown, online or not. */
export async function isListed(d1: D1Database, id: string): Promise<boolean> {
  const found = drizzle(d1).select({ id: providers.id }).from(providers);
  return (await found.where(eq(providers.id, id))).length > 0;
}

/** Those that are online and take VMs, and have room for the asked spec now. */
export async function listProviders(d1: D1Database, query: ProvidersQuery): Promise<ProvidersPage> {
  const spec = specOf(query);
  const order = orderOf(query.sort, spec);
  const { cursor, limit = LIMITS.list.pageDefault, ...filters } = query;
  const list = nameOf({ ...filters, sort: order.name });
  const after = cursor === undefined ? undefined : await decodeCursor(list, cursor);
  const rows = await drizzle(d1)
    .select()
    .from(providers)
    .where(
      and(
        listable,
        gte(providers.cpus, spec.cpus),
        gte(providers.memoryMiB, spec.memoryMiB),
        gte(providers.storageGiB, spec.storageGiB),
        gt(providers.vms, 0),
        query.country === undefined ? undefined : eq(providers.country, query.country),
        query.arch === undefined ? undefined : eq(providers.arch, query.arch),
        query.maxHourlyPrice === undefined
          ? undefined
          : lte(exactPrice(spec), query.maxHourlyPrice),
        after && past(order, after),
      ),
    )
    .orderBy(...order.columns.map((column) => (order.descending ? desc(column) : asc(column))))
    .limit(limit + 1);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    providers: page.map((row) => present(row, spec)),
    next:
      last && rows.length > limit
        ? await encodeCursor(
            list,
            order.columns.map((column) => positionIn(last, column)),
          )
        : null,
  };
}

/** What is left out of a spec is taken from the size `small`. */
export function specOf(query: Pick<ProvidersQuery, keyof Resources>): Resources {
  return {
    cpus: query.cpus ?? SIZES.small.cpus,
    memoryMiB: query.memoryMiB ?? SIZES.small.memoryMiB,
    storageGiB: query.storageGiB ?? SIZES.small.storageGiB,
  };
}

/** The same for the same filters, however they were ordered in the query. */
function nameOf(filters: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(filters).filter(([, value]) => value !== undefined);
  return JSON.stringify(given.sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Order {
  readonly name: string;
  /** The sort columns in order, `id` last, so that no two rows are equal. */
  readonly columns: readonly SQLiteColumn[];
  readonly descending: boolean;
}

const PRICE_COLUMN: Record<SizeName, SQLiteColumn> = {
  small: providers.priceSmall,
  medium: providers.priceMedium,
  large: providers.priceLarge,
  xlarge: providers.priceXlarge,
};
const SIZE_NAMES = ['small', 'medium', 'large', 'xlarge'] as const satisfies readonly SizeName[];

const NEWEST: Order = {
  name: 'newest',
  columns: [providers.firstSeen, providers.id],
  descending: true,
};
const CAPACITY: Order = {
  name: 'capacity',
  columns: [providers.cpus, providers.memoryMiB, providers.id],
  descending: true,
};

/** Odd sizes are sorted by the smallest standard size that contains them: those have an index. */
function byPriceOf(spec: Resources): Order {
  const size = SIZE_NAMES.find((name) => fits(SIZES[name], spec)) ?? 'xlarge';
  return { name: size, columns: [PRICE_COLUMN[size], providers.id], descending: false };
}

function orderOf(sort: ProvidersQuery['sort'], spec: Resources): Order {
  if (sort === 'newest') return NEWEST;
  return sort === 'capacity' ? CAPACITY : byPriceOf(spec);
}

function past({ columns, descending }: Order, position: Position): SQL {
  const names = sql.join(
    columns.map((column) => sql`${column}`),
    sql`, `,
  );
  const values = sql.join(
    position.map((value) => sql`${value}`),
    sql`, `,
  );
  return descending ? sql`(${names}) < (${values})` : sql`(${names}) > (${values})`;
}

/** `hourlyPrice` in SQL. The casts keep the arithmetic whole: bound numbers arrive as floats. */
function exactPrice(spec: Resources): SQL<number> {
  return sql<number>`(${providers.cpuHour} * CAST(${spec.cpus} AS INTEGER)
    + (${providers.memoryGiBHour} * CAST(${spec.memoryMiB} AS INTEGER) + 1023) / 1024
    + ${providers.storageGiBHour} * CAST(${spec.storageGiB} AS INTEGER))`;
}

function positionIn(row: Row, column: SQLiteColumn): string | number {
  const entry = Object.entries(providers).find(([, candidate]) => candidate === column);
  const value: unknown = entry && row[entry[0] as keyof Row];
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new TypeError(`rows cannot be sorted by ${column.name}`);
  }
  return value;
}

function present(row: Row, spec: Resources): Provider {
  return {
    id: row.id,
    offer: { text: row.offerText, signature: row.offerSignature },
    country: row.country,
    asn: row.asn,
    online: row.online,
    since: new Date(row.since).toISOString(),
    hourlyPrice: hourlyPrice(row, spec),
  };
}
