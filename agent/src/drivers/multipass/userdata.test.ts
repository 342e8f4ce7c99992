/** User data on its way through Multipass, which keeps no quotes. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { userDataOf } from '../../../../test/multipass/cloud-init.ts';
import { VERSIONS } from '../../../../test/multipass/wire.ts';
import { cloudConfig } from './userdata.ts';

const metaData = 'instance-id: i-1\nlocal-hostname: web\n';
const seedOf = (config: unknown) => ({
  userData: `#cloud-config\n${JSON.stringify(config)}`,
  metaData,
});
/** What cloud-init reads in the end. */
const arrives = (config: unknown, version: (typeof VERSIONS)[number]) =>
  parse(userDataOf(cloudConfig(seedOf(config)), 'ssh-rsa OWN', version), { version: '1.1' });

/** Texts that are something else when they lose their quotes. */
const TRAPS = [
  ...['yes', 'NO', 'on', 'off', 'true', 'y', 'null', '~', '', '0755', '0o700', '12', '-1', '1.5'],
  ...['.inf', '1e3', '12:30', '2001-01-01', '=', '<<', '# no comment', '- item', '{a: b}', '[1]'],
  ...[
    '&anchor',
    '*alias',
    '!tag',
    '%x',
    '@x',
    '`x`',
    'a: b',
    ' padded ',
    'line\nline\n',
    '"quoted"',
  ],
];

describe.each(VERSIONS)('through Multipass %s', (version) => {
  test.each(TRAPS)('the text %j arrives as it was', (text) => {
    const config = { write_files: [{ content: text, permissions: '0700' }], [`x${text}`]: text };
    expect(arrives(config, version)).toEqual({ hostname: 'web', ...config });
  });

  test('any settings arrive as they were', () => {
    // Unprintable characters are escaped by every writer, each in its way.
    const text = fc.string({ unit: 'grapheme-ascii' });
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(...TRAPS),
        text,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.stringMatching(/^[a-z_]{2,8}_$/), tie('value'), { maxKeys: 3 }),
      ),
    })).value;
    fc.assert(
      fc.property(value, (settings) => {
        expect(arrives({ settings }, version)).toEqual({ hostname: 'web', settings });
      }),
      { numRuns: 300 },
    );
  });
});

test('a host name of the owner goes before ours', () => {
  expect(parse(cloudConfig(seedOf({ hostname: 'theirs' })))).toEqual({ hostname: 'theirs' });
});

test('what is no cloud-config is refused', () => {
  for (const userData of ['', 'just text', '[1, 2]', '{']) {
    expect(() => cloudConfig({ userData, metaData })).toThrow(
      expect.objectContaining({ code: 'failed' }),
    );
  }
});
