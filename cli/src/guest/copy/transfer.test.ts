/** What a side that is not what it seems can do to the other one. */
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
    isOurs: false,
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

test.each(['file', 'folder'] as const)(
  'a %s that is named and said to be a link plants none',
  async (there) => {
    const target = join(dir, 'in');
    if (there === 'file') await writeFile(target, 'before');
    const lie: Files = { ...liar([], join(dir, 'home/profile')), stat: async () => LINK };
    await expect(take(lie)).rejects.toMatchObject({ code: 'forbidden' });
    // Run again, as a job does, it would be written through.
    await take(liar([['x', 'file']], '')).catch(() => undefined);
    expect((await lstat(target)).isSymbolicLink()).toBe(false);
    expect(await readFile(join(dir, 'home/profile'), 'utf8')).toBe('mine');
  },
);
const LINK: Entry = { kind: 'link', mode: 0o777, size: 6, mtime: 0 };

describe('permissions', () => {
  const bitsOf = async (path: string) => ((await stat(join(dir, path))).mode & 0o7777).toString(8);
  /** A folder with a file `profile` in it, all with these permissions. */
  const withModes = (mode: number, isOurs: boolean): Files => ({
    ...liar([], ''),
    isOurs,
    stat: async (path) => ({ kind: path === 'root' ? 'folder' : 'file', mode, size: 6, mtime: 0 }),
    list: async () => ['profile'],
  });
  const into = (files: Files, isExact: boolean) =>
    copy(
      { files, path: 'root' },
      { files: localFiles, path: join(dir, 'in') },
      { ...options, isExact },
    );

  test.each([true, false])('of a guest run nothing as us, exact: %s', async (isExact) => {
    await into(withModes(0o7755, false), isExact);
    expect([await bitsOf('in'), await bitsOf('in/profile')]).toEqual(['1755', '755']);
  });

  test('of this machine are all kept where that was asked for', async () => {
    await into(withModes(0o6755, true), true);
    expect([await bitsOf('in'), await bitsOf('in/profile')]).toEqual(['6755', '6755']);
  });

  test('of what is replaced stay, but run nothing as us any more', async () => {
    await mkdir(join(dir, 'in'));
    await writeFile(join(dir, 'in/profile'), 'mine');
    await chmod(join(dir, 'in/profile'), 0o4750);
    await into(withModes(0o755, false), false);
    expect(await readFile(join(dir, 'in/profile'), 'utf8')).toBe('theirs');
    expect(await bitsOf('in/profile')).toBe('750');
  });

  test.each([true, false])(
    'of half a file are no more than of what it replaces, exact: %s',
    async (isExact) => {
      await mkdir(join(dir, 'in'));
      await writeFile(join(dir, 'in/profile'), 'mine');
      await chmod(join(dir, 'in/profile'), 0o600);
      const seen: string[] = [];
      const watched: Files = {
        ...withModes(0o644, true),
        openToRead: async () => ({
          ...(await localFiles.openToRead(join(dir, 'evil'))),
          read: async function* () {
            const part = (await readdir(join(dir, 'in'))).find((name) => name.endsWith('.part'));
            seen.push(await bitsOf(`in/${part}`));
            yield Buffer.from('theirs');
          },
        }),
      };
      await into(watched, isExact);
      expect(seen).toEqual(['600']);
      expect(await bitsOf('in/profile')).toBe(isExact ? '644' : '600');
    },
  );
});
