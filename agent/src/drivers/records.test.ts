import { link, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { GuestRecords } from './records.ts';

const schema = z.object({ starts: z.number() });

async function folder(stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'records-'));
  stack.defer(() => rm(dir, { recursive: true }));
  return dir;
}

test('changes that are asked for at once are all made', async () => {
  await using stack = new AsyncDisposableStack();
  const records = await GuestRecords.open(await folder(stack), schema);
  const vmId = newVmId();
  await records.create(vmId, { starts: 0 });
  const start = () => records.update(vmId, ({ starts }) => ({ starts: starts + 1 }));
  await Promise.all(Array.from({ length: 20 }, start));
  expect(await records.read(vmId)).toEqual({ starts: 20 });
});

test('one that is there is not made again, and one that was removed does not come back', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await folder(stack);
  const records = await GuestRecords.open(dir, schema);
  const vmId = newVmId();
  await records.create(vmId, { starts: 1 });
  await expect(records.create(vmId, { starts: 0 })).rejects.toMatchObject({ code: 'exists' });
  expect(await records.read(vmId)).toEqual({ starts: 1 });
  const removed = records.remove(vmId);
  await expect(records.update(vmId, (record) => record)).rejects.toMatchObject({ code: 'absent' });
  await removed;
  expect(await readdir(dir)).toEqual([]);
});

test('a kill within a creation leaves a record that changes as a whole', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await folder(stack);
  const records = await GuestRecords.open(dir, schema);
  const vmId = newVmId();
  await records.create(vmId, { starts: 1 });
  const path = join(dir, `${vmId}.json`);
  // As after the link, and before the other name is removed.
  await link(path, `${path}.next`);
  await link(path, join(dir, 'reader'));
  await records.update(vmId, () => ({ starts: 2 }));
  expect(await records.read(vmId)).toEqual({ starts: 2 });
  expect(await readFile(join(dir, 'reader'), 'utf8')).toBe('{"starts":1}');
  expect((await readdir(dir)).sort()).toEqual(['reader', `${vmId}.json`].sort());
});

test('damaged records are known, and not read; other files are no records', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await folder(stack);
  const records = await GuestRecords.open(dir, schema);
  const vmId = newVmId();
  await writeFile(join(dir, `${vmId}.json`), '{');
  await writeFile(join(dir, 'backend.json'), '{}');
  expect(await records.ids()).toEqual([vmId]);
  expect(await records.has(vmId)).toBe(true);
  await expect(records.read(vmId)).rejects.toMatchObject({ code: 'unavailable' });
});
