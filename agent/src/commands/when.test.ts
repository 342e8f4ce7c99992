import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { localTime } from '../presenters/units.ts';
import { parseWhen } from './when.ts';

const NOON = Date.parse('2026-11-25T12:00:00Z');
const HOUR = 3_600_000;

afterEach(() => vi.unstubAllEnvs());

describe('points in time', () => {
  test.each([
    ['2h', NOON + 2 * HOUR],
    ['90min', NOON + 1.5 * HOUR],
    ['90m', NOON + 1.5 * HOUR],
    ['1d12h', NOON + 36 * HOUR],
    ['2026-11-25T18:00Z', NOON + 6 * HOUR],
    ['2026-11-25T18:00+01:00', NOON + 5 * HOUR],
    ['2026-11-25 18:00:30.5Z', NOON + 6 * HOUR + 30_500],
  ])('%s', (text, expected) => {
    expect(parseWhen(text, NOON)).toBe(expected);
  });

  test('are in the zone of this machine when they name none', () => {
    vi.stubEnv('TZ', 'America/New_York');
    expect(parseWhen('2026-11-25T18:00', NOON)).toBe(NOON + 11 * HOUR);
    expect(parseWhen('2026-11-26', NOON)).toBe(NOON + 17 * HOUR);
    // It is seven in the morning there.
    expect(parseWhen('18:00', NOON)).toBe(NOON + 11 * HOUR);
    expect(parseWhen('07:00', NOON)).toBe(NOON + 24 * HOUR);
    expect(parseWhen('7:01', NOON)).toBe(NOON + HOUR / 60);
  });

  test('follow the calendar over a change of the clocks', () => {
    vi.stubEnv('TZ', 'Europe/Berlin');
    // 24 October, 20:00 in Berlin; the night that follows has an hour more.
    const evening = Date.parse('2026-10-24T18:00:00Z');
    expect(parseWhen('19:00', evening)).toBe(Date.parse('2026-10-25T18:00:00Z'));
    expect(localTime(parseWhen('19:00', evening))).toMatch(/^2026-10-25 19:00 .*\+01:00\)$/);
  });

  test.each([
    '',
    '18',
    '24:00',
    '6pm',
    '2x',
    '2h30',
    '-2h',
    '2026-02-31',
    '2026-13-01',
    'soon',
    '1e3h',
  ])('refuses %j', (text) => {
    expect(() => parseWhen(text, NOON)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test.each([
    ['2026-11-25T11:59Z', 'over already'],
    ['0h', 'over already'],
    ['2020-01-01', 'over already'],
    ['91d', 'more than 90 days away'],
  ])('refuses %s, as it is %s', (text, why) => {
    expect(() => parseWhen(text, NOON)).toThrow(why);
  });

  test('are read as they are written, whatever the zone', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'Pacific/Apia');
    const minutes = fc.integer({ min: 1, max: 89 * 24 * 60 });
    fc.assert(
      fc.property(zones, minutes, (zone, minutes) => {
        vi.stubEnv('TZ', zone);
        const when = NOON + minutes * 60_000;
        const iso = new Date(when).toISOString();
        expect(parseWhen(iso, NOON)).toBe(when);
        expect(parseWhen(`${minutes}m`, NOON)).toBe(when);
        // What is shown back is what can be typed.
        const shown = /^(\S+) (\S+) (?:UTC$|.*\((.{6})\)$)/.exec(localTime(when, zone)) ?? [];
        const [, date, time, offset = 'Z'] = shown;
        expect(parseWhen(`${date}T${time}${offset}`, NOON)).toBe(when);
      }),
    );
  });

  test('are after now or refused, whatever is typed', () => {
    const words = fc.oneof(fc.string(), fc.stringMatching(/^[\dhmdT:Z +-]{1,20}$/));
    fc.assert(
      fc.property(words, (text) => {
        let when;
        try {
          when = parseWhen(text, NOON);
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
          return;
        }
        expect(when).toBeGreaterThan(NOON);
      }),
    );
  });
});
