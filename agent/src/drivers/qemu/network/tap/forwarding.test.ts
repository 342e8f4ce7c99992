import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Forwarding } from './forwarding.ts';

const DEVICES = ['all', 'default', 'lo', 'eth0', 'wg0', 'golem1-0'];
let root: string;
let dir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'forwarding-'));
  dir = join(root, 'network');
  await mkdir(dir);
  await writeFile(join(root, 'boot_id'), 'a\n');
  for (const device of DEVICES) {
    await mkdir(join(root, 'conf', device), { recursive: true });
    await turn(device, '0');
  }
  await writeFile(join(root, 'ip_forward'), '0\n');
});
afterEach(() => rm(root, { recursive: true }));

const open = () => Forwarding.open({ dir, kernel: { ipv4: root, bootId: join(root, 'boot_id') } });
const turn = (device: string, value: string) =>
  writeFile(join(root, 'conf', device, 'forwarding'), `${value}\n`);
const on = async () => {
  const values = await Promise.all(
    DEVICES.map((device) => readFile(join(root, 'conf', device, 'forwarding'), 'utf8')),
  );
  return DEVICES.filter((_, at) => values[at]?.trim() === '1');
};
const switchOf = async () => (await readFile(join(root, 'ip_forward'), 'utf8')).trim();

test('devices forward for guests, and do no more when another agent gives them back', async () => {
  await turn('wg0', '1');
  const first = await open();
  expect(first.borrowed).toBe(true);
  await first.turnOn();
  expect(await on()).toEqual(['eth0', 'wg0', 'golem1-0']);
  await rm(join(root, 'conf', 'golem1-0'), { recursive: true });
  const next = await open();
  await next.giveBack();
  await mkdir(join(root, 'conf', 'golem1-0'));
  await turn('golem1-0', '0');
  expect(await on()).toEqual(['wg0']);
  expect(await switchOf()).toBe('0');
  expect(await readdir(dir)).toEqual([]);
});

test('a machine that somebody makes a router is one, also when guests are gone', async () => {
  const forwarding = await open();
  await forwarding.turnOn();
  await writeFile(join(root, 'ip_forward'), '1\n');
  expect([await forwarding.look(), forwarding.borrowed]).toEqual([true, false]);
  await forwarding.giveBack();
  expect(await on()).toContain('eth0');
  expect(await switchOf()).toBe('1');
});

test('what was on stays on, and is not touched', async () => {
  await writeFile(join(root, 'ip_forward'), '1\n');
  const forwarding = await open();
  await forwarding.turnOn();
  await forwarding.giveBack();
  expect([forwarding.borrowed, await on()]).toEqual([false, []]);
});

test('a machine that was started again has the settings of its own', async () => {
  await (await open()).turnOn();
  await writeFile(join(root, 'boot_id'), 'b\n');
  await (await open()).giveBack();
  expect(await on()).toContain('eth0');
});
