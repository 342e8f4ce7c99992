/** Amounts as people write them. */
import { formatUsd } from '@vm-on-golem/shared/usd';

const HOURS_PER_MONTH = 730;

export function memory(mebibytes: number): string {
  return mebibytes % 1024 === 0 ? `${mebibytes / 1024}G` : `${mebibytes}M`;
}

export function perHour(nanoUsd: number): string {
  return `${formatUsd(nanoUsd)}/h`;
}

export function perMonth(nanoUsd: number): string {
  return `$${((nanoUsd * HOURS_PER_MONTH) / 1e9).toFixed(2)}/month`;
}

export function elapsed(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  return `${Math.floor(seconds / 60)}m${String(Math.floor(seconds % 60)).padStart(2, '0')}s`;
}

/** What a time costs. */
export function total(nanoUsd: number, seconds: number): string {
  return `${formatUsd(nanoUsd)} for ${duration(seconds)}`;
}

/** As it is typed: the largest unit that it is a whole number of. */
export function duration(seconds: number): string {
  for (const [size, unit] of [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'm'],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}

/** How long, in its two largest units: `45s`, `12m`, `3h5m`, `6d23h`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m`;
  const days = Math.floor(hours / 24);
  const [large, small] =
    days === 0 ? [`${hours}h`, [minutes % 60, 'm']] : [`${days}d`, [hours % 24, 'h']];
  return small[0] === 0 ? large : large + small.join('');
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** With one digit behind the point. */
export function bytes(amount: number): string {
  let value = amount;
  let at = 0;
  while (value >= 1024 && at < BYTE_UNITS.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[at]}`;
}
