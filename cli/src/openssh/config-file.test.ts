import fc from 'fast-check';
import { expect, test } from 'vitest';
import { configText, hasInclude, withInclude, withoutInclude } from './config-file.ts';

const FILE = '/home/me/.config/golem/ssh_config';

test('the line is first, once, and goes without a trace', () => {
  const own = 'Host *\n  User me\n';
  const once = withInclude(own, FILE);
  expect(once.split('\n').slice(1)).toEqual([`Include ${FILE}`, 'Host *', '  User me', '']);
  expect(withInclude(once, FILE)).toBe(once);
  expect(withoutInclude(once, FILE)).toBe(own);
  expect(withInclude('', '/a b/c')).toContain('Include "/a b/c"\n');
});

test('whatever else is in the file stays as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(!hasInclude(text, FILE));
      expect(hasInclude(withInclude(text, FILE), FILE)).toBe(true);
      expect(withoutInclude(withInclude(text, FILE), FILE)).toBe(text);
      expect(withoutInclude(text, FILE)).toBe(text);
    }),
  );
});

test('VMs have a block each', () => {
  const hosts = ['web', 'db'].map((host) => ({
    host,
    options: { User: 'root', CheckHostIP: 'no' },
  }));
  expect(configText(hosts).split('\n').slice(1)).toEqual([
    '',
    ...['Host web', '  User root', '  CheckHostIP no', ''],
    ...['Host db', '  User root', '  CheckHostIP no', ''],
  ]);
});
