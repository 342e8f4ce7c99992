import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { complete, completionLines, type Names } from './complete.ts';
import type { Words } from './words.ts';

const words: Words = {
  common: [
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json'], summary: 'format' },
    { name: 'context', value: 'CONTEXT', summary: 'which' },
    { name: 'debug', summary: 'more' },
  ],
  groups: [
    { name: 'vm', summary: 'VMs' },
    { name: 'key', summary: 'keys' },
  ],
  commands: [
    {
      group: 'vm',
      name: 'create',
      summary: 'rent',
      usage: '[NAME]',
      options: [
        { name: 'size', value: 'SIZE', choices: ['small', 'medium'], summary: 'how large' },
        { name: 'user-data', value: 'FILE', summary: 'what to run' },
        { name: 'no-wait', summary: 'at once' },
      ],
    },
    { group: 'vm', name: 'list', aliases: ['ls'], summary: 'see', usage: '', options: [] },
    { group: 'vm', name: 'stop', summary: 'stop', usage: 'NAME...', options: [] },
    { group: 'vm', name: 'cp', summary: 'copy', usage: 'SOURCE... TARGET', options: [] },
    {
      group: 'vm',
      name: 'ssh',
      aliases: ['connect'],
      summary: 'enter',
      usage: 'NAME [-- COMMAND...]',
      options: [{ name: 'tty', short: 't', summary: 'terminal' }],
      passesOn: true,
    },
    { group: 'key', name: 'show', summary: 'print', usage: '', options: [] },
    { name: 'completion', summary: 'script', usage: 'bash|zsh', options: [] },
  ],
};
const names: Names = {
  vms: () => ['db', 'web'],
  contexts: () => ['home', 'work'],
  settings: () => ['discovery'],
};
const texts = (...typed: string[]) =>
  complete(words, typed, names).candidates.map(({ text }) => text);

test.each<[string[], string[]]>([
  [[''], ['vm', 'key', 'completion', 'help']],
  [['v'], ['vm']],
  [['--d'], ['--debug']],
  [
    ['vm', ''],
    ['create', 'list', 'stop', 'cp', 'ssh'],
  ],
  [
    ['vm', 's'],
    ['stop', 'ssh'],
  ],
  [
    ['help', 'vm', 's'],
    ['stop', 'ssh'],
  ],
  [
    ['--debug', 'vm', 'c'],
    ['create', 'cp'],
  ],
  [
    ['-o', ''],
    ['table', 'json'],
  ],
  [['-o', 'json', 'k'], ['key']],
  [['vm', '-o', 'json', 'l'], ['list']],
  [
    ['vm', 'create', '--'],
    ['--size', '--user-data', '--no-wait', '--output', '--context', '--debug'],
  ],
  [
    ['vm', 'create', '--size', ''],
    ['small', 'medium'],
  ],
  [['vm', 'create', '--size', 'me'], ['medium']],
  [['vm', 'create', '--size=me'], ['--size=medium']],
  [
    ['vm', 'create', '--size', '='],
    ['small', 'medium'],
  ],
  [['vm', 'create', '--size', '=', 'me'], ['medium']],
  [['vm', 'create', '--bogus=me'], []],
  [['vm', 'create', ''], []],
  [
    ['vm', 'stop', ''],
    ['db', 'web'],
  ],
  [['vm', 'stop', 'db', 'w'], ['web']],
  [
    ['vm', 'stop', '--context', ''],
    ['home', 'work'],
  ],
  [
    ['vm', 'ssh', ''],
    ['db', 'web'],
  ],
  [['vm', 'connect', 'd'], ['db']],
  [['vm', 'ssh', '-t', 'd'], ['db']],
  [['vm', 'ssh', 'db', '--'], []],
  [['vm', 'ssh', 'db', ''], []],
  [['vm', 'list', ''], []],
  [
    ['completion', ''],
    ['bash', 'zsh'],
  ],
  [['completion', 'bash', ''], []],
  [['nonsense', ''], []],
  [['vm', 'nonsense', ''], []],
])('%j', (typed, candidates) => {
  expect(texts(...typed)).toEqual(candidates);
});

describe('files', () => {
  test('are for the shell to name', () => {
    const typed = ['vm', 'create', '--user-data', ''];
    expect(completionLines(complete(words, typed, names))).toEqual([':files']);
  });

  test('of a VM begin with its name', () => {
    expect(completionLines(complete(words, ['vm', 'cp', 'we'], names))).toEqual([
      'web:\t',
      ':files',
      ':open',
    ]);
    expect(texts('vm', 'cp', 'a', 'b', '')).toEqual(['db:', 'web:']);
  });
});

test('any words have an answer, which goes on with the last of them', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('vm', 'ssh', 'create', '--size', '--size=', '=', '-o', '--', '-', 'help', ''),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (typed) => {
      const last = typed.at(-1) ?? '';
      for (const text of texts(...typed)) {
        const goesOn = text.startsWith(last);
        expect(goesOn || last === '=' || typed.at(-2) === '=').toBe(true);
      }
    }),
  );
});
