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

/** Six digits are a cent a year: `$0.031500`. */
export function formatUsd(nanoUsd: number): string {
  return `$${(nanoUsd / 1e9).toFixed(6)}`;
}

/** @returns nano-USD, or undefined when `text` is not a plain decimal number of dollars. */
export function parseUsd(text: string): number | undefined {
  const match = /^\$?(\d{1,6})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * 1e9 + Number((match[2] ?? '').padEnd(9, '0'));
}
