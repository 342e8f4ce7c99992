/** The keeper on real files, and real overlays that QEMU made of them. */
import { execFile } from 'node:child_process';
import {
  access,
  link,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  statfs,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newVmId } from '@vm-on-golem/shared/ids';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backingFile, imageFilesInUse } from '../drivers/qemu/images.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { ImageKeeper, type KeeperOptions } from './keeper.ts';

const run = promisify(execFile);
const HOUR = 3_600_000;
const MIB = 2 ** 20;

let dir: string;
let folder: string;
let guests: string;
let now: number;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-'));
  folder = join(dir, 'images');
  guests = join(dir, 'guests');
  await mkdir(folder);
  await mkdir(guests);
  now = Date.now();
});
afterEach(() => rm(dir, { recursive: true }));

const keeper = (change: Partial<KeeperOptions> = {}) =>
  new ImageKeeper({
    folder,
    maxBytes: () => 3 * MIB,
    floorBytes: () => 0,
    inUse: () => imageFilesInUse(guests),
    bounds: AGENT_LIMITS.images,
    now: () => now,
    ...change,
  });

async function keep(letter: string, hoursAgo: number, kind = 'qcow2'): Promise<string> {
  const path = join(folder, `sha256-${letter.repeat(64)}.${kind}`);
  await writeFile(path, Buffer.alloc(MIB, letter));
  const at = new Date(now - hoursAgo * HOUR);
  await writeFile(`${path}.used`, '');
  await utimes(`${path}.used`, at, at);
  return path;
}

async function overlay(backing: string): Promise<string> {
  const guest = join(guests, newVmId());
  await mkdir(guest);
  const disk = join(guest, 'disk.qcow2');
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', backing, disk, '8M']);
  return disk;
}

const left = async () =>
  (await readdir(folder))
    .filter((name) => name.endsWith('qcow2'))
    .map((name) => name[7])
    .sort();

describe('the images that are kept', () => {
  test('make room by age of their last use, but for those that disks are overlays of', async () => {
    const oldest = await keep('a', 90);
    await keep('b', 80);
    const third = await keep('c', 70);
    const disk = await overlay(oldest);
    expect(await backingFile(disk)).toBe(oldest);
    const cache = keeper();
    await cache.use(third);
    await cache.makeRoomFor(1);
    expect(await left()).toEqual(['a', 'c']);
    expect(await cache.bytes()).toBe(2 * MIB);
    // The third was used just now, the first is in use: nothing more goes, however much is needed.
    expect(await cache.trim(10 * MIB)).toBe(0);
    now += 2 * HOUR;
    expect(await cache.trim(10 * MIB)).toBe(MIB);
    expect(await left()).toEqual(['a']);
    await access(disk);
  });

  test('stay, all of them, when a guest cannot be read', async () => {
    await keep('a', 90);
    await writeFile(join(await folderOf(), 'disk.qcow2'), 'this is no disk image at all');
    await expect(keeper().trim(MIB)).rejects.toThrow('no qcow2 file');
    expect(await left()).toEqual(['a']);
  });
  const folderOf = async () => {
    const path = join(guests, newVmId());
    await mkdir(path);
    return path;
  };

  test('leave no room for one that would take the last of the disk', async () => {
    await keep('a', 90);
    const { bavail, bsize } = await statfs(folder);
    const cache = keeper({ floorBytes: () => bavail * bsize * 2 });
    await expect(cache.makeRoomFor(1)).rejects.toMatchObject({ code: 'launch_failed' });
    expect(await left()).toEqual([]);
  });

  test('that are images of a folder as well count for nothing, and stay', async () => {
    const path = await keep('a', 90);
    await link(path, join(dir, 'built.qcow2'));
    const cache = keeper({ maxBytes: () => 0 });
    expect(await cache.bytes()).toBe(0);
    expect(await cache.trim(MIB)).toBe(0);
    expect(await left()).toEqual(['a']);
  });

  test('are tidied of what a kill has left, and of nothing else', async () => {
    const path = await keep('a', 90);
    const old = new Date(now - 25 * HOUR);
    for (const name of ['x.part', 'y.part', 'z.used', 'note.json']) {
      await writeFile(join(folder, name), '');
      if (name !== 'y.part') await utimes(join(folder, name), old, old);
    }
    await keeper().tidy();
    const names = await readdir(folder);
    expect(names.sort()).toEqual(
      [
        'note.json',
        'y.part',
        path.slice(folder.length + 1),
        `${path.slice(folder.length + 1)}.used`,
      ].sort(),
    );
  });
});
