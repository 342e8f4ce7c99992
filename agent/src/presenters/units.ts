/** Amounts and times as people read them. Pure. */
import { hourlyPrice, type Prices } from '@vm-on-golem/shared/money';
import type { Resources } from '@vm-on-golem/shared/vm';

/** Of 365 days. */
const HOURS_PER_MONTH = 730;
const SECOND = 1000;
const UNITS = [
  ['d', 86_400 * SECOND],
  ['h', 3_600 * SECOND],
  ['min', 60 * SECOND],
  ['s', SECOND],
] as const;

/** Below 10 GiB exact, as it is what somebody has chosen. */
export function memory(mebibytes: number): string {
  const gib = mebibytes / 1024;
  if (Number.isInteger(gib)) return `${gib} GiB`;
  return gib < 10 ? `${mebibytes} MiB` : `${gib.toFixed(1)} GiB`;
}

/** `2 CPUs, 4 GiB, 20 GiB disk`. */
export function resources({ cpus, memoryMiB, storageGiB }: Resources): string {
  return `${processors(cpus)}, ${memory(memoryMiB)}, ${storageGiB} GiB disk`;
}

/** `1 CPU`, `2 CPUs`. */
export function processors(count: number): string {
  return `${count} CPU${count === 1 ? '' : 's'}`;
}

/** The largest two units: `3 d 4 h`, `12 min`, `8 s`. */
export function duration(millis: number): string {
  let rest = Math.max(0, millis);
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
    // Seconds beside hours are noise, and so is whatever comes after a gap.
    if (parts.length === 2 || (parts.length === 1 && count === 0)) break;
  }
  return parts.join(' ') || '0 s';
}

/** Cents, and below a dollar as many digits as say something: `$5.84`, `$0.013`, `$0.0001`. */
export function usd(nanoUsd: number): string {
  const [whole, digits = ''] = (nanoUsd / 1e9).toFixed(nanoUsd >= 1e9 ? 2 : 6).split('.');
  return `$${whole}.${digits.replace(/0+$/, '').padEnd(2, '0')}`;
}

/** What a VM costs its renter, by the hour, the day and the month, in nano-USD. */
export function bill(prices: Prices, size: Resources) {
  const hour = hourlyPrice(prices, size);
  return { hour, day: hour * 24, month: hour * HOURS_PER_MONTH };
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `0 B`, `1.5 MiB`. */
export function bytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), BYTE_UNITS.length - 1);
  const amount = count / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${BYTE_UNITS[power]}`;
}

/** `42 %`, or a dash where it is not known. */
export function percent(amount: number | null): string {
  return amount === null ? '-' : `${Math.round(amount)} %`;
}

/** In the zone of this machine, which is named: `2026-11-25 18:00 CET (+01:00)`, `2026-11-25 17:00 UTC`. */
export function localTime(millis: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  const part = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-GB', { ...options, ...zone });
  const date = new Intl.DateTimeFormat('sv-SE', {
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
    ...zone,
  }).format(millis);
  const name = (style: 'short' | 'longOffset') =>
    part({ timeZoneName: style })
      .formatToParts(millis)
      .find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const offset = name('longOffset').replace('GMT', '') || '+00:00';
  const short = name('short');
  if (short === 'UTC') return `${date} UTC`;
  return /^GMT[+-]/.test(short) ? `${date} (${offset})` : `${date} ${short} (${offset})`;
}
