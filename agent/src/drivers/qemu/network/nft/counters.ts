/** The counters of a table: as they are rendered, and as nft says them. Pure. */
import * as z from 'zod';

/** Of a named counter. */
export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * `received` and `sent` is what passed. `capped` was more than the guest may send or receive, `spoofed`
 * came with a sender that is not the guest's, `closed` was to go where no guest may go.
 */
export const COUNTERS = ['received', 'sent', 'capped', 'spoofed', 'closed'] as const;
export type GuestCounts = Readonly<Record<(typeof COUNTERS)[number], Count>>;

export const NO_COUNTS = Object.fromEntries(
  COUNTERS.map((name) => [name, { packets: 0, bytes: 0 }]),
) as GuestCounts;

export function renderCounters(name: string, counts: GuestCounts): string {
  return COUNTERS.map((counter) => {
    const { packets, bytes } = counts[counter];
    return `  counter ${name}_${counter} { packets ${packets} bytes ${bytes}\n  }\n`;
  }).join('');
}

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
  return new Map([...guests].map(([guest, counts]) => [guest, { ...NO_COUNTS, ...counts }]));
}
