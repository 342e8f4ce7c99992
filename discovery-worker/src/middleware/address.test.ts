import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockOf, isWithin, parseAddress } from './address.ts';

describe('addresses', () => {
  it.each([
    ['0.0.0.0', 4, 0n],
    ['1.2.3.4', 4, 0x01020304n],
    ['::', 6, 0n],
    ['::1', 6, 1n],
    ['2001:db8::5', 6, 0x20010db8000000000000000000000005n],
    ['1:2:3:4:5:6:7:8', 6, 0x00010002000300040005000600070008n],
    ['::ffff:1.2.3.4', 4, 0x01020304n],
    ['64:ff9b::1.2.3.4', 6, 0x0064ff9b000000000000000001020304n],
  ])('are read: %s', (text, version, value) => {
    expect(parseAddress(text)).toEqual({ version, value });
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    'a.b.c.d',
    '1:2',
    ':::',
    '1::2::3',
    '::g',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::1.2.3',
    ' ::1',
  ])('are refused when they are none: %s', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it('are read the same in full and as any URL shortens them', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const short = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        expect(parseAddress(text)).toEqual(parseAddress(short));
        expect(parseAddress(text)).toBeDefined();
      }),
    );
  });

  it('of IPv6 count as one within a /64, of IPv4 by themselves', () => {
    expect(blockOf('2001:db8:0:1::1')).toBe(blockOf('2001:db8:0:1:ffff::2'));
    expect(blockOf('2001:db8:0:1::1')).not.toBe(blockOf('2001:db8:0:2::1'));
    expect(blockOf('10.0.0.1')).toBe(blockOf('::ffff:10.0.0.1'));
    expect(blockOf('10.0.0.1')).not.toBe(blockOf('10.0.0.2'));
  });

  it.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['10.1.2.3', '::/0', false],
    ['2001:db8::1', '2001:db8::/32', true],
    ['10.1.2.3', '10.0.0.0/33', false],
    ['10.1.2.3', '10.0.0.0/8/8', false],
    ['10.1.2.3', 'nonsense', false],
  ])('%s within %s: %s', (text, block, expected) => {
    const address = parseAddress(text);
    expect(address && isWithin(address, block)).toBe(expected);
  });
});
