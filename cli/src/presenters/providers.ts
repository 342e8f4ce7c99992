/** The table of providers. */
import { memory, perHour, perMonth } from './units.ts';
import type { View } from './view.ts';

export interface ProviderOutput {
  readonly id: string;
  readonly name: string;
  readonly country: string;
  readonly driver: string;
  readonly arch: string;
  readonly accelerator: string;
  readonly isolation: string;
  readonly images: readonly string[];
  /** What its VMs can do besides starting and stopping: `suspend`, `snapshot`, `resize`, `clone`. */
  readonly capabilities: readonly string[];
  readonly available: AmountsOutput;
  readonly capacity: AmountsOutput;
  /** For the size that was asked for. */
  readonly hourlyPriceNanoUsd: number;
  readonly onlineSince: string;
}

export interface AmountsOutput {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly storageGiB: number;
  readonly vms: number;
}

/** Enough of an id to name a provider on the command line. */
const SHOWN_ID_CHARS = 15;

/** @param others online that were left out as they have no room, where none is left */
export function providerTable(
  providers: readonly ProviderOutput[],
  isFull: boolean,
  others: number,
): View {
  return {
    table: {
      columns: [
        { title: 'PROVIDER', fixed: true },
        { title: 'NAME' },
        { title: 'COUNTRY', fixed: true },
        { title: 'CPU', right: true, fixed: true },
        { title: 'MEMORY', right: true, fixed: true },
        { title: 'DISK', right: true, fixed: true, priority: 1 },
        { title: 'RUNS ON', fixed: true, priority: 3 },
        { title: 'ISOLATION', fixed: true, priority: 4 },
        { title: 'PRICE', right: true, fixed: true },
        { title: 'A MONTH', right: true, fixed: true, priority: 2 },
        { title: 'IMAGES', priority: 5 },
      ],
      rows: providers.map((provider) => [
        isFull ? provider.id : provider.id.slice(0, SHOWN_ID_CHARS),
        provider.name,
        provider.country,
        String(provider.available.cpus),
        memory(provider.available.memoryMiB),
        `${provider.available.storageGiB}G`,
        `${provider.arch} ${provider.accelerator}`,
        provider.isolation,
        perHour(provider.hourlyPriceNanoUsd),
        perMonth(provider.hourlyPriceNanoUsd),
        provider.images.join(','),
      ]),
      empty: emptyText(others),
    },
    ids: providers.map(({ id }) => id),
    names: providers.map(({ name }) => name),
  };
}

function emptyText(others: number): string {
  if (others === 0) return 'No provider online offers this.';
  const who = others === 1 ? 'One more is online, but is' : `${others} more are online, but are`;
  return `No provider has room for this now. ${who} full or too dear: golem vm providers --all`;
}
