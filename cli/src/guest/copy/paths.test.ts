import { GolemError } from '@vm-on-golem/shared/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSafeName, nameOf, planCopy, readPlace } from './paths.ts';
import { progressLine, sizeText } from './progress.ts';

describe('a place', () => {
  test.each([
    ['web:', { kind: 'guest', vm: 'web', path: '.' }],
    ['web:~', { kind: 'guest', vm: 'web', path: '.' }],
    ['web:~/a', { kind: 'guest', vm: 'web', path: 'a' }],
    ['web:/etc/x:y', { kind: 'guest', vm: 'web', path: '/etc/x:y' }],
    ['web:~bob/a', { kind: 'guest', vm: 'web', path: '~bob/a' }],
    ['./web:a', { kind: 'here', path: './web:a' }],
    ['/a:b', { kind: 'here', path: '/a:b' }],
    [':a', { kind: 'here', path: ':a' }],
    ['a b', { kind: 'here', path: 'a b' }],
    ['-', { kind: 'stream' }],
  ])('%s', (text, place) => {
    expect(readPlace(text, false)).toEqual(place);
  });

  test('on Windows may be on a drive', () => {
    expect(readPlace('C:\\a', true)).toEqual({ kind: 'here', path: 'C:\\a' });
    expect(readPlace('a\\b:c', true)).toEqual({ kind: 'here', path: 'a\\b:c' });
    expect(readPlace('web:a', true)).toMatchObject({ kind: 'guest' });
  });

  test('with ./ before it is of this machine, whatever it is called', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(readPlace(`./${name}`, false)).toEqual({ kind: 'here', path: `./${name}` });
      }),
    );
  });
});

test('what cannot be copied so is a usage error', () => {
  const refusal = (recursive: boolean, ...words: string[]) => {
    try {
      planCopy(words, recursive);
    } catch (error) {
      return error instanceof GolemError ? error.code : error;
    }
    return undefined;
  };
  expect(refusal(false, 'a', 'b')).toBe('usage');
  expect(refusal(false, '-', '-')).toBe('usage');
  expect(refusal(false, 'a', '-', 'web:')).toBe('usage');
  expect(refusal(true, '-', 'web:a')).toBe('usage');
  expect(refusal(false, 'web:')).toBe('usage');
  expect(refusal(true, 'a', 'web:b', 'db:c')).toBeUndefined();
});

test('a source has its last name in a folder, and none of its own if it is a way there', () => {
  const name = (text: string) => nameOf(readPlace(text, false));
  expect(['web:/a/b/', 'a/b', 'web:', './..', '/'].map(name)).toEqual(['b', 'b', '.', '.', '.']);
});

test('names that lead elsewhere are not safe', () => {
  for (const name of ['', '.', '..', '../x', '/x', 'a/b', 'a\0']) {
    expect(isSafeName(name, false)).toBe(false);
  }
  for (const name of ['a', '...', '.ssh', 'a\\b', '-rf', 'ü\n'])
    expect(isSafeName(name, false)).toBe(true);
  expect(isSafeName('a\\b', true)).toBe(false);
});

test('progress says how much, how fast and how long', () => {
  const line = (bytes: number, size: number, millis: number) =>
    progressLine({ path: 'x', bytes, size, millis });
  expect(line(0, 10, 0)).toBe('x  0%  0 B of 10 B');
  expect(line(2048, 4096, 1000)).toBe('x  50%  2.0 KiB of 4.0 KiB  2.0 KiB/s  1 s left');
  expect(line(5000, 4096, 1000)).toBe('x  100%  4.9 KiB of 4.9 KiB  4.9 KiB/s');
  expect(line(1024 ** 2, 0, 1000)).toBe('x  1.0 MiB  1.0 MiB/s');
  expect(line(0, 0, 0)).toBe('x  0 B');
  expect(sizeText(1024 ** 5)).toBe('1024.0 TiB');
});
