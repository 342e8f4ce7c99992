import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, constantFrom, property, sample, string, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { findDigest, VerifiedFiles } from './digest.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const one = sha256('one');
const two = sha256('two');

test('finds a file in a list of checksums, in text and in binary mode', () => {
  const list = `${one} *ubuntu.img\n${two}  debian.qcow2\r\n`;
  expect(findDigest(list, 'ubuntu.img', 'sha256')).toEqual({ algorithm: 'sha256', hex: one });
  expect(findDigest(list, 'debian.qcow2', 'sha256')).toEqual({ algorithm: 'sha256', hex: two });
});

test('takes no other file, no other kind of hash and no contradiction', () => {
  expect(findDigest(`${one}  a.img.bak\n`, 'a.img', 'sha256')).toBeUndefined();
  expect(findDigest(`${one}  dir/a.img\n`, 'a.img', 'sha256')).toBeUndefined();
  expect(findDigest(`${one}  a.img\n`, 'a.img', 'sha512')).toBeUndefined();
  expect(findDigest(`${one.slice(1)}  a.img\n`, 'a.img', 'sha256')).toBeUndefined();
  expect(findDigest(`${one}  a.img\n${two}  a.img\n`, 'a.img', 'sha256')).toBeUndefined();
  expect(findDigest(`${one}  a.img\n${one} *a.img\n`, 'a.img', 'sha256')?.hex).toBe(one);
  expect(findDigest('<html>not found</html>', 'a.img', 'sha256')).toBeUndefined();
});

test('gives the hash on which all lines of a file agree, among lines that say nothing', () => {
  const hexes = array(constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 });
  const hex = constantFrom(
    one,
    two,
    ...sample(
      hexes.map((chars) => chars.join('')),
      3,
    ),
  );
  const lines = array(tuple(hex, constantFrom('  ', ' *'), constantFrom('a', 'b', 'a b')));
  assert(
    property(lines, string(), (entries, noise) => {
      const list = entries.map(([hash, mode, name]) => `${hash}${mode}${name}`);
      const said = new Set(entries.filter(([, , name]) => name === 'a').map(([hash]) => hash));
      const expected = said.size === 1 ? [...said][0] : undefined;
      expect(findDigest([...list, noise].join('\n'), 'a', 'sha256')?.hex).toBe(expected);
    }),
  );
});

test('sees that a file has changed after it was verified', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'golem-'));
  try {
    const path = join(folder, 'disk');
    const files = new VerifiedFiles();
    const { signal } = new AbortController();
    const check = () => files.check(path, { algorithm: 'sha256', hex: one }, signal);
    expect(await check()).toBe('missing');
    await writeFile(path, 'one');
    expect(await check()).toBe('good');
    expect(await check()).toBe('good');
    await writeFile(path, 'not one');
    expect(await check()).toBe('wrong');
    await rm(path);
    expect(await check()).toBe('missing');
  } finally {
    await rm(folder, { recursive: true });
  }
});
