/** Points in time as people type them. Pure, but for the zone of this machine. */
import { GolemError } from '@vm-on-golem/shared/errors';

const UNITS = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SPAN = /(\d{1,6})(min|[smhd])/g;
/** A drain that is further away is a slip of the finger. */
const MAX_MILLIS = 90 * UNITS.d;

/**
 * `2h`, `90min`, `1d12h` from now; `18:00` today or, if that is over, tomorrow; `2026-11-25` and
 * `2026-11-25T18:00` in the zone of this machine, with `Z` or an offset in that one.
 * @param now milliseconds since 1970
 * @returns milliseconds since 1970, after `now`
 * @throws {GolemError} `usage`
 */
export function parseWhen(text: string, now: number): number {
  const when = spanOf(text, now) ?? clockOf(text, now) ?? dateOf(text);
  if (when === undefined || Number.isNaN(when)) {
    throw new GolemError('usage', `'${text}' is no time.`, {
      hint: 'Say 18:00, 2h, 1d12h or 2026-11-25T18:00.',
    });
  }
  if (when <= now) throw new GolemError('usage', `${text} is over already.`);
  if (when - now > MAX_MILLIS) {
    throw new GolemError('usage', `${text} is more than ${MAX_MILLIS / UNITS.d} days away.`);
  }
  return when;
}

function spanOf(text: string, now: number): number | undefined {
  if (!/^(?:\d{1,6}(?:min|[smhd]))+$/.test(text)) return undefined;
  let millis = 0;
  for (const [, count, unit] of text.matchAll(SPAN)) {
    millis += Number(count) * UNITS[unit as keyof typeof UNITS];
  }
  return now + millis;
}

function clockOf(text: string, now: number): number | undefined {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (!match) return undefined;
  const at = new Date(now);
  at.setHours(Number(match[1]), Number(match[2]), 0, 0);
  // By the calendar, as a day may have 23 hours or 25.
  if (at.getTime() <= now) at.setDate(at.getDate() + 1);
  return at.getTime();
}

function dateOf(text: string): number | undefined {
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  if (!match) return undefined;
  const [, date, time = '00:00', zone = ''] = match;
  const millis = Date.parse(`${date}T${time}${zone}`);
  // JavaScript takes 31 February for a day in March.
  return Number(date?.slice(8)) > daysIn(date ?? '') ? undefined : millis;
}

function daysIn(date: string): number {
  const [year, month] = date.split('-').map(Number);
  return new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
}
