/**
 * What is listed: a projection of what the hubs know, never the truth. Rows are written on change
 * of state only and read by keyset, so the partial indexes hold exactly what a list can show.
 */
import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** Written out in queries as well: bound parameters would keep SQLite from the partial indexes. */
export const listable = sql.raw('online = 1 AND accepting = 1');

export const providers = sqliteTable(
  'providers',
  {
    id: text('id').primaryKey(),
    /** Of the connection that this row comes from; an older one never overwrites it. */
    epoch: integer('epoch').notNull(),
    offerText: text('offer_text').notNull(),
    offerSignature: text('offer_signature').notNull(),
    online: integer('online', { mode: 'boolean' }).notNull(),
    accepting: integer('accepting', { mode: 'boolean' }).notNull(),
    /** Milliseconds since 1970, as every time here. */
    since: integer('since').notNull(),
    firstSeen: integer('first_seen').notNull(),
    country: text('country').notNull(),
    asn: integer('asn'),
    arch: text('arch').notNull(),
    cpus: integer('cpus').notNull(),
    memoryMiB: integer('memory_mib').notNull(),
    storageGiB: integer('storage_gib').notNull(),
    vms: integer('vms').notNull(),
    /** nano-USD, as every price here. */
    cpuHour: integer('cpu_hour').notNull(),
    memoryGiBHour: integer('memory_gib_hour').notNull(),
    storageGiBHour: integer('storage_gib_hour').notNull(),
    priceSmall: integer('price_small').notNull(),
    priceMedium: integer('price_medium').notNull(),
    priceLarge: integer('price_large').notNull(),
    priceXlarge: integer('price_xlarge').notNull(),
  },
  (table) => [
    index('providers_by_price_small').on(table.priceSmall, table.id).where(listable),
    index('providers_by_price_medium').on(table.priceMedium, table.id).where(listable),
    index('providers_by_price_large').on(table.priceLarge, table.id).where(listable),
    index('providers_by_price_xlarge').on(table.priceXlarge, table.id).where(listable),
    index('providers_by_first_seen').on(table.firstSeen, table.id).where(listable),
    index('providers_by_capacity').on(table.cpus, table.memoryMiB, table.id).where(listable),
  ],
);

/** Where requestors were seen to get a VM, so that they find it by their key alone. */
export const rentals = sqliteTable(
  'rentals',
  {
    requestor: text('requestor').notNull(),
    provider: text('provider').notNull(),
    /** `own` of whoever ordered there, `granted` of whom others let in, which any provider can say of anybody. */
    source: text('source', { enum: ['own', 'granted'] }).notNull(),
    seenAt: integer('seen_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.requestor, table.provider] }),
    index('rentals_by_requestor').on(table.requestor, table.source, table.seenAt, table.provider),
    index('rentals_by_provider').on(table.provider, table.source, table.seenAt, table.requestor),
  ],
);
