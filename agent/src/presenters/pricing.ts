/** What renters pay, by the sizes that they choose from. Pure. */
import type { Prices } from '@vm-on-golem/shared/money';
import { SIZES } from '@vm-on-golem/shared/vm';
import { table } from './table.ts';
import { bill, resources, usd } from './units.ts';

export function bills(prices: Prices) {
  return Object.entries(SIZES).map(([size, resources]) => ({
    ...{ size, resources },
    ...bill(prices, resources),
  }));
}

export function pricingLines(prices: Prices): string[] {
  return [
    `CPU ${usd(prices.cpuHour)}, memory ${usd(prices.memoryGiBHour)} a GiB, disk ${usd(prices.storageGiBHour)} a GiB, each for an hour`,
    '',
    ...table(
      ['SIZE', 'WHAT', 'HOUR', 'DAY', 'MONTH'],
      bills(prices).map(({ size, resources: what, hour, day, month }) => [
        ...[size, resources(what), usd(hour), usd(day), usd(month)],
      ]),
    ),
  ];
}
