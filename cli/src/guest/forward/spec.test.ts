import { GolemError } from '@vm-on-golem/shared/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressText, readForward } from './spec.ts';

const of = (bind: string, port: number, host: string, hostPort: number) => ({
  ...{ bind, port, host, hostPort },
});

test.each([
  ['80', of('127.0.0.1', 80, 'localhost', 80)],
  ['8080:80', of('127.0.0.1', 8080, 'localhost', 80)],
  ['0:80', of('127.0.0.1', 0, 'localhost', 80)],
  ['1:db:5432', of('127.0.0.1', 1, 'db', 5432)],
  ['0.0.0.0:1:db:2', of('0.0.0.0', 1, 'db', 2)],
  [':1:db:2', of('::', 1, 'db', 2)],
  ['*:1:db:2', of('::', 1, 'db', 2)],
  ['[::1]:1:[fe80::2]:2', of('::1', 1, 'fe80::2', 2)],
  ['1:10.0.0.7:2', of('127.0.0.1', 1, '10.0.0.7', 2)],
])('%s', (text, spec) => {
  expect(readForward(text)).toEqual(spec);
});

test.each([
  '',
  ':',
  'a',
  '0',
  '65536',
  '1:0',
  'a:b:c',
  'db:5432',
  '-1:80',
  '1e3:80',
  '1::2',
  '::1:2',
  '[::1:1:a:2',
  '1:2:3:4:5',
  ' 80',
  '1:a b:2',
])('%j is a usage error', (text) => {
  expect(() => readForward(text)).toThrow(GolemError);
});

test('what is written as ssh -L is read as it was meant', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, port, host, port, (bind, here, there, hostPort) => {
      const text = `${addressText(bind, here)}:${addressText(there, hostPort)}`;
      expect(readForward(text)).toEqual(of(bind, here, there, hostPort));
    }),
  );
});

test('any text is read, or refused as a usage error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d:[\]a*.]{0,12}$/)), (text) => {
      try {
        const { port, hostPort } = readForward(text);
        expect(port >= 0 && port < 65_536 && hostPort > 0 && hostPort < 65_536).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ name: 'GolemError', code: 'usage' });
      }
    }),
  );
});
