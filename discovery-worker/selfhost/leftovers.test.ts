import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sweepLeftovers } from './leftovers.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golem-leftovers-'));
});
afterEach(() => rm(folder, { recursive: true }));

const HOUR = 3_600_000;

/** A database as an object leaves it, last written an hour ago. */
async function database(name: string, sql: string): Promise<void> {
  const path = join(folder, name);
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA user_version = 1; ${sql}`);
  db.close();
  const then = (Date.now() - HOUR) / 1000;
  await utimes(path, then, then);
}

test('removes what is empty, old and closed, and nothing else', async () => {
  await database('ended.sqlite', 'CREATE TABLE kv (key TEXT); DROP TABLE kv; VACUUM');
  await database('session.sqlite', "CREATE TABLE kv (key TEXT); INSERT INTO kv VALUES ('session')");
  await database('kept.sqlite', 'CREATE TABLE kv (key TEXT)');
  await database('open.sqlite', '');
  await writeFile(join(folder, 'open.sqlite-wal'), '');
  await writeFile(join(folder, 'new.sqlite'), '');
  await writeFile(join(folder, 'readme.txt'), '');
  await mkdir(join(folder, 'folder'));

  expect(await sweepLeftovers(folder, Date.now())).toBe(1);
  expect((await readdir(folder)).sort()).toEqual([
    'folder',
    'kept.sqlite',
    'new.sqlite',
    'open.sqlite',
    'open.sqlite-wal',
    'readme.txt',
    'session.sqlite',
  ]);
  expect(await sweepLeftovers(folder, Date.now() + HOUR)).toBe(1);
  expect(await readdir(folder)).not.toContain('new.sqlite');
});

test('has nothing to do before the first session', async () => {
  expect(await sweepLeftovers(join(folder, 'none'), Date.now())).toBe(0);
});
