import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quieted } from './noise.ts';

const NOISE =
  'kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n';
const TOLD = 'golem: The VM is stopped.\nhint: Start it.\n';

const through = (...chunks: string[]) => {
  const next = quieted();
  return [...chunks.map(next), next(undefined)].join('');
};

test('OpenSSH has nothing to add to an error of ours, however it comes in pieces', () => {
  expect(through(TOLD + NOISE)).toBe(TOLD);
  expect(through(...(TOLD + NOISE))).toBe(TOLD);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: NOISE.length })), (cuts) => {
      const all = TOLD + NOISE + 'more';
      const ends = [...cuts.sort((a, b) => a - b), all.length];
      const chunks = ends.map((end, at) => all.slice(ends[at - 1] ?? 0, end));
      expect(through(...chunks)).toBe(`${TOLD}more`);
    }),
  );
});

test('without one, all that it says is passed on', () => {
  expect(through(NOISE)).toBe(NOISE);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (chunks) => {
      fc.pre(!/(^|\n)golem: /.test(chunks.join('')));
      expect(through(...chunks)).toBe(chunks.join(''));
    }),
  );
});

test('what is no whole line is not kept back', () => {
  const next = quieted();
  expect(next('Password: ')).toBe('Password: ');
  expect(next(' 10%\r 20%')).toBe(' 10%\r 20%');
  expect(next(`\n${TOLD}`)).toBe(`\n${TOLD}`);
  expect(next('Con')).toBe('');
  expect(next('gratulations')).toBe('Congratulations');
});
