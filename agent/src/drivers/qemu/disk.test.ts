import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diskInfo, parseInfo, restoreSnapshot, settleDisk } from './disk.ts';
import { createGuestFolder, guestFolder, type GuestFolder } from './folder.ts';
import { readRecord, writeRecord } from './record.ts';

const run = promisify(execFile);
const GIB = 1024 ** 3;
const record = {
  cpus: 1,
  memoryMiB: 128,
  storageGiB: 2,
  minMemoryMiB: 96,
  image: '',
  reserved: false,
  hostKey: 'key',
};

let stateDir: string;
let folder: GuestFolder;
beforeEach(async () => {
  stateDir = await mkdtemp(`${tmpdir()}/golem-`);
  folder = guestFolder(stateDir, `vm_${'a'.repeat(20)}`);
  await createGuestFolder(folder);
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', folder.disk, '1G']);
});
afterEach(() => rm(stateDir, { recursive: true }));

test('snapshots are told oldest first, to the millisecond', () => {
  const kept = (id: string, name: string, seconds: number, nanos: number) => ({
    ...{ id, name, 'date-sec': seconds, 'date-nsec': nanos },
  });
  const snapshots = [kept('3', 'c', 20, 0), kept('10', 'b', 10, 0), kept('9', 'a', 10, 999_999)];
  expect(parseInfo(JSON.stringify({ 'virtual-size': GIB, snapshots }))).toEqual({
    bytes: GIB,
    snapshots: [
      { name: 'a', createdAt: 10_000 },
      { name: 'b', createdAt: 10_000 },
      { name: 'c', createdAt: 20_000 },
    ],
  });
});

test('what makes no sense is an error, and never a disk', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(() => parseInfo(text)).toThrow('makes no sense');
    }),
  );
});

test('a restoration that was cut short at any point is done before anything else', async () => {
  await run('qemu-img', ['snapshot', '-c', 'small', folder.disk]);
  await run('qemu-img', ['resize', '-q', folder.disk, '2G']);
  await run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 64k', folder.disk]);
  const intent = { ...record, restoring: 'small' };
  const asBefore = async () => {
    expect(await readRecord(folder)).toEqual(record);
    expect((await diskInfo(folder)).bytes).toBe(2 * GIB);
    await run('qemu-io', ['-r', '-f', 'qcow2', '-c', 'read -P 0 0 64k', folder.disk]);
  };

  await writeRecord(folder, intent);
  await settleDisk(folder);
  await asBefore();

  await writeRecord(folder, intent);
  await run('qemu-img', ['snapshot', '-a', 'small', folder.disk]);
  expect((await diskInfo(folder)).bytes).toBe(GIB);
  await settleDisk(folder);
  await asBefore();

  await writeRecord(folder, intent);
  await expect(restoreSnapshot(folder, 'unknown')).rejects.toMatchObject({ code: 'no_snapshot' });
  await asBefore();
});
