import { GolemError } from '@vm-on-golem/shared/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry, Group, Section } from '../commands/command.ts';
import { route, type Tree } from './tree.ts';

const entry = (summary: string, ...aliases: string[]): Entry => ({
  summary,
  aliases,
  load: () => Promise.reject(new Error('nothing is loaded to find it')),
});
const section = (title: string, commands: Section['commands']): Section => ({ title, commands });
const group = (...sections: Section[]): Group => ({ summary: '', examples: [], sections });
const tree: Tree = {
  groups: {
    vm: group(
      section('Renting', { create: entry('rent'), list: entry('see', 'ls') }),
      section('Going in', { ssh: entry('enter', 'connect') }),
    ),
    key: group(section('Commands', { show: entry('print'), rotate: entry('renew') })),
  },
  top: section('Commands', { doctor: entry('look'), version: entry('say') }),
};

const to = (...words: string[]) => {
  const found = route(tree, words);
  if (found.kind !== 'command') return found.kind === 'group' ? found.name : found.kind;
  return [found.path, ...found.rest];
};
const refusal = (...words: string[]): GolemError => {
  try {
    route(tree, words);
  } catch (error) {
    if (error instanceof GolemError) return error;
    throw error;
  }
  throw new Error(`${words.join(' ')} was taken`);
};

test.each<[string[], string | string[]]>([
  [[], 'help'],
  [['--help'], 'help'],
  [['help'], 'help'],
  [['vm'], 'vm'],
  [['vm', '-h'], 'vm'],
  [['vm', 'help'], 'vm'],
  [['help', 'vm'], 'vm'],
  [['--debug', 'vm'], 'vm'],
  [['vm', 'list'], ['golem vm list']],
  [
    ['vm', 'ls', '-x'],
    ['golem vm list', '-x'],
  ],
  [
    ['vm', 'connect', 'web', '--', '-x'],
    ['golem vm ssh', 'web', '--', '-x'],
  ],
  [
    ['help', 'vm', 'ls'],
    ['golem vm list', '--help'],
  ],
  [
    ['vm', 'help', 'ls'],
    ['golem vm list', '--help'],
  ],
  [
    ['doctor', 'a'],
    ['golem doctor', 'a'],
  ],
  [['key', 'show'], ['golem key show']],
  [
    ['--debug', 'vm', 'list', 'x'],
    ['golem vm list', '--debug', 'x'],
  ],
  [
    ['-o', 'json', 'vm', '-q', 'list', 'x'],
    ['golem vm list', '-o', 'json', '-q', 'x'],
  ],
  [
    ['--context=work', '-ojson', 'doctor'],
    ['golem doctor', '--context=work', '-ojson'],
  ],
  [
    ['--context', 'vm', 'vm', 'list'],
    ['golem vm list', '--context', 'vm'],
  ],
])('%j', (words, found) => {
  expect(to(...words)).toEqual(found);
});

describe('a slip says what was meant', () => {
  test.each([
    [['vn'], 'golem vm'],
    [['create'], 'golem vm create'],
    [['ls'], 'golem vm list'],
    [['rotate'], 'golem key rotate'],
    [['vm', 'crate'], 'golem vm create'],
    [['vm', 'doctor'], 'golem doctor'],
    [['key', 'create'], 'golem vm create'],
    [['dcotor'], 'golem doctor'],
    [['help', 'vm', 'crate'], 'golem vm create'],
    [['xyzzy'], 'golem help'],
    [['vm', 'xyzzy'], 'golem vm --help'],
    [['__proto__'], 'golem help'],
    [['vm', 'constructor'], 'golem vm --help'],
    [['--size', 'small', 'vm', 'create'], 'golem COMMAND --option'],
    [['-x'], 'golem help'],
  ])('%j', (words, hint) => {
    const error = refusal(...words);
    expect(error.code).toBe('usage');
    expect(error.hint).toContain(hint);
  });
});

test('any words lead somewhere, or are refused as a usage error', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('vm', 'list', 'help', '--help', '-o', '--', '-', 'doctor', 'key', '-q'),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      try {
        const found = route(tree, words);
        if (found.kind === 'command') expect(found.rest.length).toBeLessThanOrEqual(words.length);
      } catch (error) {
        expect(error).toMatchObject({ name: 'GolemError', code: 'usage' });
      }
    }),
  );
});
