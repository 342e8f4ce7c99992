import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base32Prefix, base64UrlDecode, base64UrlEncode, utf8, utf8Length } from './encoding.ts';

const bytes = fc.uint8Array({ maxLength: 200 });

describe('base64url', () => {
  test('is what Node writes, and comes back', () => {
    fc.assert(
      fc.property(bytes, (input) => {
        const text = base64UrlEncode(input);
        expect(text).toBe(Buffer.from(input).toString('base64url'));
        expect(base64UrlDecode(text)).toEqual(new Uint8Array(input));
      }),
    );
  });

  test('one text for the same bytes: any other is refused', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 24 }), (text) => {
        const decoded = base64UrlDecode(text);
        expect(decoded === undefined || base64UrlEncode(decoded) === text).toBe(true);
      }),
    );
  });

  test.each([
    ['padding', 'AA=='],
    ['the other alphabet', '+/+/'],
    ['a lone character', 'A'],
    ['bits behind the last byte', 'AB'],
    ['a line break', 'AAAA\n'],
    ['a space', 'AA AA'],
  ])('%s is refused', (_what, text) => {
    expect(base64UrlDecode(text)).toBeUndefined();
  });
});

describe('base32', () => {
  /** The same by arithmetic on one big number. */
  function byArithmetic(input: Uint8Array, length: number): string {
    const total = input.length * 8;
    const number = BigInt(`0x0${Buffer.from(input).toString('hex')}`);
    return Array.from({ length }, (_, at) => {
      const shift = total - 5 * (at + 1);
      const digit = Number((number >> BigInt(shift)) & 31n);
      return 'abcdefghijklmnopqrstuvwxyz234567'[digit];
    }).join('');
  }

  test('is the prefix of the number, five bits at a time', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (input, wish) => {
        const length = wish % (Math.floor((input.length * 8) / 5) + 1);
        expect(base32Prefix(input, length)).toBe(byArithmetic(input, length));
      }),
    );
  });

  test.each([
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foobar', 'mzxw6ytboi'],
  ])('RFC 4648 section 10: %s', (text, encoded) => {
    const whole = Math.floor((text.length * 8) / 5);
    expect(base32Prefix(utf8(text), whole)).toBe(encoded.slice(0, whole));
  });

  test('too few bytes', () => {
    expect(() => base32Prefix(new Uint8Array(2), 4)).toThrow(RangeError);
  });
});

test('lengths are those of the bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(utf8Length(text)).toBe(Buffer.byteLength(text));
    }),
  );
});
