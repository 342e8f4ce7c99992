/**
 * Other programs' rules between guests and the Internet. A packet that our table lets pass meets theirs
 * as well, and Docker, firewalld and ufw drop what is forwarded and not theirs.
 */
import * as z from 'zod';
import { attempt } from './commands.ts';

export interface ForeignChain {
  /** `family table chain`. */
  readonly chain: string;
}

const listingSchema = z.object({
  nftables: z.array(
    z.object({
      chain: z
        .object({
          family: z.string(),
          table: z.string(),
          name: z.string(),
          hook: z.string().optional(),
          policy: z.string().optional(),
        })
        .optional(),
    }),
  ),
});

/** Chains of others whose policy is to drop what is forwarded. Empty where nobody may look. */
export async function foreignDrops(): Promise<ForeignChain[]> {
  const { status, stdout } = await attempt(['nft', '-j', 'list', 'chains']);
  return status === 0 ? parseForeignDrops(stdout) : [];
}

/** @param json of `nft -j list chains` */
export function parseForeignDrops(json: string): ForeignChain[] {
  return listingSchema
    .parse(JSON.parse(json))
    .nftables.flatMap(({ chain }) => chain ?? [])
    .filter(
      ({ family, table, hook, policy }) =>
        hook === 'forward' &&
        policy === 'drop' &&
        (family === 'ip' || family === 'inet') &&
        !table.startsWith('golem'),
    )
    .map(({ family, table, name }) => ({ chain: `${family} ${table} ${name}` }));
}
