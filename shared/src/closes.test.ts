import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLOSE, closeReason } from './closes.ts';

test('every code is of the private range and stands for one thing', () => {
  const codes = Object.values(CLOSE).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) {
    expect(code).toBeGreaterThanOrEqual(4000);
    expect(code).toBeLessThanOrEqual(4999);
  }
});

test('a reason fits into a close frame, whatever it is made of', () => {
  const text = fc.string({ unit: 'binary', maxLength: 300 });
  fc.assert(
    fc.property(text, (reason) => {
      const sent = closeReason(reason);
      expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(123);
      expect(sent).not.toMatch(/\p{Cc}/u);
      expect(reason.replaceAll(/\p{Cc}/gu, ' ').startsWith(sent)).toBe(true);
    }),
  );
});

test('no character is cut in two', () => {
  expect(closeReason(`${'x'.repeat(121)}€`)).toBe('x'.repeat(121));
  expect(closeReason(`${'x'.repeat(120)}€`)).toBe(`${'x'.repeat(120)}€`);
});
