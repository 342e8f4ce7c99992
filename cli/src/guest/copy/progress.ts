/** How far a copy is, as a line for people. Pure. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** @example `12.3 MiB` */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

export interface CopyState {
  readonly path: string;
  /** Of this file. */
  readonly bytes: number;
  readonly size: number;
  /** Since its first byte. */
  readonly millis: number;
}

/** @example `site.tar  45%  12.3 MiB of 27.1 MiB  4.1 MiB/s  3 s left` */
export function progressLine({ path, bytes, size, millis }: CopyState): string {
  const rate = millis > 0 ? (bytes / millis) * 1000 : 0;
  // A file may grow while it is read, and a stream never says how much is to come.
  const share = size === 0 ? [] : [`${Math.min(100, Math.floor((bytes / size) * 100))}%`];
  const total = size === 0 ? '' : ` of ${sizeText(Math.max(size, bytes))}`;
  const parts = [path, ...share, sizeText(bytes) + total];
  if (rate > 0 && millis >= 500) {
    parts.push(`${sizeText(Math.round(rate))}/s`);
    const left = Math.ceil((size - bytes) / rate);
    if (left > 0) parts.push(`${left} s left`);
  }
  return parts.join('  ');
}
