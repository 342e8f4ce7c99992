import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Forwarding } from './forwarding.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'forwarding-'));
  await writeFile(join(dir, 'boot_id'), 'a\n');
});
afterEach(() => rm(dir, { recursive: true }));

const open = () =>
  Forwarding.open({
    dir,
    files: { switch: join(dir, 'ip_forward'), bootId: join(dir, 'boot_id') },
  });
const turn = (value: string) => writeFile(join(dir, 'ip_forward'), value);
const turned = async () => (await readFile(join(dir, 'ip_forward'), 'utf8')).trim();

test('what was off is off again after the last guest, also when another agent gives it back', async () => {
  await turn('0\n');
  const first = await open();
  expect(await first.borrow()).toBe(true);
  expect([first.borrowed, await turned()]).toEqual([true, '0']);
  await first.turnOn();
  expect(await turned()).toBe('1');
  const next = await open();
  expect([next.borrowed, await next.borrow()]).toEqual([true, false]);
  await next.giveBack();
  expect([next.borrowed, await turned()]).toEqual([false, '0']);
  expect((await readdir(dir)).sort()).toEqual(['boot_id', 'ip_forward']);
});

test('what was on, or is on since the machine was started again, stays on', async () => {
  await turn('1\n');
  const forwarding = await open();
  expect(await forwarding.borrow()).toBe(false);
  await forwarding.giveBack();
  expect([forwarding.borrowed, await turned()]).toEqual([false, '1']);
  await turn('0\n');
  await forwarding.borrow();
  await turn('1\n');
  await writeFile(join(dir, 'boot_id'), 'b\n');
  const restarted = await open();
  await restarted.giveBack();
  expect([restarted.borrowed, await turned()]).toEqual([false, '1']);
});
