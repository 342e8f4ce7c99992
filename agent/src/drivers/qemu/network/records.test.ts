import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Records } from './records.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'records-'));
});
afterEach(() => rm(dir, { recursive: true }));

const slotOf = async (records: Records, vmId = newVmId()) => (await records.ensure(vmId)).slot;

test('a slot that was given back is not the next one to be given, also by the next agent', async () => {
  const [first, second] = [newVmId(), newVmId()];
  let records = await Records.open(dir, 4);
  expect([await slotOf(records, first), await slotOf(records, second)]).toEqual([0, 1]);
  await records.delete(first);
  records = await Records.open(dir, 4);
  expect(await slotOf(records, second)).toBe(1);
  expect([await slotOf(records), await slotOf(records), await slotOf(records)]).toEqual([2, 3, 0]);
  await expect(records.ensure(newVmId())).rejects.toMatchObject({ code: 'failed' });
  await records.delete(second);
  expect(await slotOf(records)).toBe(1);
  expect((await readdir(dir)).filter((name) => name.endsWith('.next'))).toEqual([]);
});

test('guests that are made at once have slots of their own', async () => {
  const records = await Records.open(dir, Infinity);
  const slots = await Promise.all(Array.from({ length: 8 }, () => slotOf(records)));
  expect(new Set(slots).size).toBe(8);
});
