import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { showConsole } from './console-text.ts';

const part = (text: string | Buffer, from = 1000) => ({
  ...{ bytes: Buffer.from(text as string), from, epoch: 7 },
});

describe('a console', () => {
  test('is shown with its offsets', () => {
    expect(showConsole(part('login: '), 'last', 100)).toEqual({
      ...{ text: 'login: ', from: 1000, to: 1007, epoch: 7 },
    });
    expect(showConsole(part(''), 'first', 100)).toMatchObject({ text: '', from: 1000, to: 1000 });
  });

  test('that is too much is shown from the end that counts', () => {
    expect(showConsole(part('abcdef'), 'last', 4)).toMatchObject({
      ...{ text: 'cdef', from: 1002, to: 1006 },
    });
    expect(showConsole(part('abcdef'), 'first', 4)).toMatchObject({
      ...{ text: 'abcd', from: 1000, to: 1004 },
    });
    // An escape is six characters of JSON, a line break two.
    expect(showConsole(part('\u0001\u0001a\n'), 'last', 9)).toMatchObject({ text: '\u0001a\n' });
    expect(showConsole(part('\u0001\n\u0001'), 'first', 9)).toMatchObject({ text: '\u0001\n' });
  });

  test('keeps the first half of a character until the other one comes', () => {
    const euro = Buffer.from('1 €');
    const half = showConsole(part(euro.subarray(0, 4)), 'first', 100);
    expect(half).toMatchObject({ text: '1 ', to: 1002 });
    expect(showConsole(part(euro.subarray(2), half.to), 'first', 100)).toMatchObject({
      ...{ text: '€', from: 1002, to: 1005 },
    });
  });

  test('does not begin in the middle of a character', () => {
    expect(showConsole(part(Buffer.from('€ 1').subarray(1)), 'last', 100)).toMatchObject({
      ...{ text: ' 1', from: 1002, to: 1004 },
    });
  });

  test('may be anything, and gets on', () => {
    expect(showConsole(part(Buffer.from([0xff, 0xfe, 0x41])), 'first', 100)).toMatchObject({
      ...{ text: '��A', to: 1003 },
    });
    expect(showConsole(part(Buffer.from([0x80, 0x80])), 'first', 100).to).toBe(1002);
    expect(showConsole(part(Buffer.from([0xe2, 0x41])), 'first', 100).to).toBe(1002);
  });
});

const chunked = (bytes: Buffer, sizes: readonly number[], room: number) => {
  let at = 0;
  let text = '';
  for (let turn = 0; at < bytes.length && turn < 10_000; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 8;
    const shown = showConsole(part(bytes.subarray(at, at + size), at), 'first', room);
    expect(shown.from).toBe(at);
    expect(JSON.stringify(shown.text).length - 2).toBeLessThanOrEqual(room);
    text += shown.text;
    if (shown.to === at && at + size >= bytes.length) break;
    at = shown.to;
  }
  return text;
};
const sizes = fc.array(fc.integer({ min: 4, max: 40 }), { minLength: 1, maxLength: 5 });
const room = fc.integer({ min: 8, max: 200 });

test('text that is read part by part is the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), sizes, room, (text, sizes, room) => {
      expect(chunked(Buffer.from(text), sizes, room)).toBe(text);
    }),
  );
});

test('bytes that are no text are read to their end, but for what may still become a character', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), sizes, room, (bytes, sizes, room) => {
      const whole = Buffer.from(bytes);
      const held = whole.length - showConsole(part(whole, 0), 'last', 1e9).to;
      expect(held).toBeLessThanOrEqual(3);
      chunked(whole, sizes, room);
    }),
  );
});
