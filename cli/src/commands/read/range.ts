/** From when, and how many. */
import { GolemError } from '@vm-on-golem/shared/errors';

/** @param text so long ago, or a time @returns milliseconds since 1970 */
export function readSince(text: string, now: number): number {
  const ago = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago?.[2] ?? ''];
  if (ago && unit) return now - Number(ago[1]) * unit;
  const isTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(
    text,
  );
  const at = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new GolemError('usage', `'${text}' is no time for --since.`, {
    hint: 'Say it like 90s, 10m, 2h, 7d, 2026-01-31 or 2026-01-31T12:00Z.',
  });
}

/** @param name of the option */
export function readCount(name: string, text: string, max: number): number {
  const count = Number(text);
  if (/^\d{1,9}$/.test(text) && count >= 1 && count <= max) return count;
  throw new GolemError('usage', `--${name} takes a number from 1 to ${max}.`);
}
