/** What a side that is not what it seems can do to the other one. */
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localFiles, type Entry, type Files } from './files.ts';
import { copy, type TransferOptions } from './transfer.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-copy-'));
  await mkdir(join(dir, 'home'));
  await writeFile(join(dir, 'home/profile'), 'mine');
  await writeFile(join(dir, 'evil'), 'theirs');
});
afterEach(() => rm(dir, { recursive: true }));

const skipped: string[] = [];
const options: TransferOptions = {
  ...{ isRecursive: true, isExact: false, signal: new AbortController().signal },
  onBytes: () => undefined,
  onSkip: (path) => void skipped.push(path),
};

/** A folder whose names, and what they are, change from one look to the next. */
function liar(looks: readonly [name: string, kind: Entry['kind']][], link: string): Files {
  let at = 0;
  const entry = (kind: Entry['kind']): Entry => ({ kind, mode: 0o755, size: 6, mtime: 0 });
  return {
    ...localFiles,
    stat: async (path) => entry(path === 'root' ? 'folder' : (looks[at++]?.[1] ?? 'file')),
    list: async (path) => (path === 'root' ? looks.map(([name]) => name) : ['profile']),
    readLink: async () => link,
    openToRead: () => localFiles.openToRead(join(dir, 'evil')),
  };
}

const take = (files: Files) =>
  copy({ files, path: 'root' }, { files: localFiles, path: join(dir, 'in') }, options);

test('a link and then a file of its name are no way to write where the link leads', async () => {
  const looks: [string, Entry['kind']][] = [
    ['x', 'link'],
    ['x', 'file'],
  ];
  await take(liar(looks, join(dir, 'home/profile')));
  expect(await readFile(join(dir, 'home/profile'), 'utf8')).toBe('mine');
  expect(await readFile(join(dir, 'in/x'), 'utf8')).toBe('theirs');
});

test('nor are a link and then a folder of its name', async () => {
  const looks: [string, Entry['kind']][] = [
    ['x', 'link'],
    ['x', 'folder'],
  ];
  await expect(take(liar(looks, join(dir, 'home')))).rejects.toMatchObject({ code: 'file_exists' });
  expect(await readdir(join(dir, 'home'))).toEqual(['profile']);
  expect(await readFile(join(dir, 'home/profile'), 'utf8')).toBe('mine');
});

test('nor are names that lead elsewhere', async () => {
  skipped.length = 0;
  await take(
    liar(
      [
        ['../home/profile', 'file'],
        ['..', 'folder'],
        ['ok', 'file'],
      ],
      '',
    ),
  );
  expect(skipped).toEqual(['root/../home/profile', 'root/..']);
  expect(await readdir(join(dir, 'in'))).toEqual(['ok']);
  expect(await readFile(join(dir, 'home/profile'), 'utf8')).toBe('mine');
});

test('folders in folders come to an end', async () => {
  const files = liar([], '');
  const endless: Files = {
    ...files,
    stat: async () => ({ kind: 'folder', mode: 0o755, size: 0, mtime: 0 }),
    list: async () => ['d'],
  };
  await expect(take(endless)).rejects.toMatchObject({
    message: expect.stringMatching(/is too deep/),
  });
});

test('a link in the place of a file that is named is written through', async () => {
  await symlink('home/profile', join(dir, 'link'));
  const from = { files: localFiles, path: join(dir, 'evil') };
  await copy(from, { files: localFiles, path: join(dir, 'link') }, options);
  expect(await readFile(join(dir, 'home/profile'), 'utf8')).toBe('theirs');
});
