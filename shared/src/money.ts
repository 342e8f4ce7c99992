/**
 * Prices are whole nano-dollars (1e-9 USD) an hour, so that sums are exact: the largest VM at the
 * highest price stays below 2^53.
 */
import * as z from 'zod';
import type { Resources } from './vm.ts';

/** nano-USD: 8 USD an hour for one unit of anything. */
export const MAX_UNIT_PRICE = 8_000_000_000;

const unitPrice = z.number().int().nonnegative().max(MAX_UNIT_PRICE);

export const pricesSchema = z.strictObject({
  /** nano-USD for one vCPU for one hour. */
  cpuHour: unitPrice,
  /** nano-USD for one GiB of memory for one hour. */
  memoryGiBHour: unitPrice,
  /** nano-USD for one GiB of disk for one hour. */
  storageGiBHour: unitPrice,
});
export type Prices = z.infer<typeof pricesSchema>;

/** What `resources` cost for one hour, in nano-USD, rounded up. */
export function hourlyPrice(prices: Prices, resources: Resources): number {
  // Whole GiB apart from the rest: price times MiB would leave the exact integers.
  const restMiB = resources.memoryMiB % 1024;
  return (
    prices.cpuHour * resources.cpus +
    prices.memoryGiBHour * ((resources.memoryMiB - restMiB) / 1024) +
    Math.ceil((prices.memoryGiBHour * restMiB) / 1024) +
    prices.storageGiBHour * resources.storageGiB
  );
}
