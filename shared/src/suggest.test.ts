import { expect, test } from 'vitest';
import { closest } from './suggest.ts';

const commands = ['providers', 'create', 'list', 'info', 'ssh', 'ssh-config', 'stop', 'start'];

test.each([
  ['crate', 'create'],
  ['craete', 'create'],
  ['CREATE', 'create'],
  ['lst', 'list'],
  ['prov', 'providers'],
  ['shh', 'ssh'],
  ['hss', 'ssh'],
  ['stpo', 'stop'],
])('%s is meant to be %s', (word, meant) => {
  expect(closest(word, commands)).toBe(meant);
});

test.each(['', 'x', 'banana', 'sta rt it now'])('%j is meant to be none of them', (word) => {
  expect(closest(word, commands)).toBeUndefined();
});

test('a word that begins several is a guess only if it is near one', () => {
  expect(closest('st', ['start', 'status'])).toBeUndefined();
  expect(closest('x', [])).toBeUndefined();
});
