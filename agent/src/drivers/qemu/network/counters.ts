/** The counters of a table, as nft says them. */
import * as z from 'zod';
import { COUNTERS, NO_COUNT, type Count, type GuestCounts } from './nft.ts';
import type { NetworkRecord } from './records.ts';

const listingSchema = z.object({
  nftables: z.array(
    z.object({
      counter: z.object({ name: z.string(), packets: z.number(), bytes: z.number() }).optional(),
    }),
  ),
});

const NAME = new RegExp(`^(.+)_(${COUNTERS.join('|')})$`);

/** @param json of `nft -j list counters table ...` */
export function parseCounters(json: string): Map<string, GuestCounts> {
  const guests = new Map<string, Record<string, Count>>();
  for (const { counter } of listingSchema.parse(JSON.parse(json)).nftables) {
    const [, guest, name] = NAME.exec(counter?.name ?? '') ?? [];
    if (!counter || guest === undefined || name === undefined) continue;
    const counts = guests.get(guest) ?? {};
    counts[name] = { packets: counter.packets, bytes: counter.bytes };
    guests.set(guest, counts);
  }
  return new Map([...guests].map(([guest, counts]) => [guest, { ...noCounts(), ...counts }]));
}

function noCounts(): GuestCounts {
  return Object.fromEntries(COUNTERS.map((name) => [name, NO_COUNT])) as GuestCounts;
}

/** What counters start with that the kernel does not have: the machine was started again. */
export function storedCounts(record: NetworkRecord | undefined): GuestCounts {
  return {
    ...noCounts(),
    received: { packets: 0, bytes: record?.receivedBytes ?? 0 },
    sent: { packets: 0, bytes: record?.sentBytes ?? 0 },
  };
}

export function withCounts(record: NetworkRecord, { received, sent }: GuestCounts): NetworkRecord {
  return { ...record, receivedBytes: received.bytes, sentBytes: sent.bytes };
}
