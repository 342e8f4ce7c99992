import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createGuestFolder, guestFolder, guestIds, prepareStateDir, tail } from './folder.ts';
import { readRecord, writeRecord } from './record.ts';

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'golem-'));
});
afterEach(() => rm(stateDir, { recursive: true }));
const folderOf = (letter: string) => guestFolder(stateDir, `vm_${letter.repeat(20)}`);

test('a path that sockets cannot have is refused before anything is made', async () => {
  const long = join(stateDir, 'x'.repeat(80));
  await expect(prepareStateDir(long)).rejects.toMatchObject({
    code: 'unavailable',
    message: /\d+ bytes too long for the sockets in it; choose a shorter one/,
  });
  expect(await readdir(stateDir)).toEqual([]);
});

test('nobody else can look into a guest', async () => {
  const folder = folderOf('a');
  await createGuestFolder(folder);
  expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
  await writeRecord(folder, {
    ...{
      cpus: 1,
      memoryMiB: 128,
      storageGiB: 1,
      minMemoryMiB: 96,
      image: '/image',
      reserved: false,
    },
    hostKey: 'ssh-ed25519 AAAA',
  });
  expect((await stat(join(folder.path, 'guest.json'))).mode & 0o777).toBe(0o600);
});

test('a half-made guest is listed, and cannot be started', async () => {
  const folder = folderOf('a');
  await createGuestFolder(folder);
  await writeFile(join(stateDir, 'somebody.else'), '');
  expect(await guestIds(stateDir)).toEqual([folder.vmId]);
  await expect(readRecord(folder)).rejects.toMatchObject({ code: 'absent' });
  await expect(createGuestFolder(folder)).rejects.toMatchObject({ code: 'exists' });
});

test.each([
  '{"cpus":',
  '{}',
  '{"cpus":0,"memoryMiB":128,"storageGiB":1,"minMemoryMiB":0,"image":"","reserved":false,"hostKey":""}',
])('a record that is damaged (%s) is not the same as none', async (text) => {
  const folder = folderOf('a');
  await createGuestFolder(folder);
  await writeFile(join(folder.path, 'guest.json'), text);
  await expect(readRecord(folder)).rejects.toMatchObject({ code: 'unavailable' });
});

test('the tail of a file is its end, and no file has none', async () => {
  const path = join(stateDir, 'log');
  expect(await tail(path, 10)).toBe('');
  await writeFile(path, 'one\ntwo\n');
  expect(await tail(path, 4)).toBe('two\n');
  expect(await tail(path, 100)).toBe('one\ntwo\n');
});
