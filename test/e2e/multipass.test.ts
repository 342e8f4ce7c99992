/** A provider with Multipass, as far as its stand-in goes: a real agent, a real guest, SSH to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golemFor, json, type Golem } from '../golem.ts';
import { standInOnQemu } from '../multipass/on-qemu.ts';
import type { StandIn } from '../multipass/standin.ts';
import { startStack, type Stack } from '../stack.ts';

let dir: string;
let standIn: StandIn;
let stack: Stack;
let golem: Golem;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'g-'));
  standIn = await standInOnQemu(join(dir, 'mp'), '1.16.3');
  stack = await startStack({
    ...{ providers: 1, driver: 'multipass', dir: join(dir, 's') },
    providerPath: join(dir, 'mp'),
  });
  golem = golemFor(stack.env, join(dir, 'alice'));
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await standIn?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const instances = () => [...standIn.daemon.instances.keys()];
const inside = async (command: string) => {
  const { status, stdout, stderr } = await golem('vm', 'ssh', 'web', '--', command);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trim();
};

test('an offer says what it is', async () => {
  const { stdout } = await golem('vm', 'providers', '-o', 'json');
  expect(stdout).toMatch(/"isolation":\s*"none"/);
  expect(stdout).toContain('debian-12-tiny');
});

test('a VM is rented, entered, and is there after its agent was killed', async () => {
  const created = await golem(
    ...['vm', 'create', 'web', '--cpu', '1', '--memory', '256M', '--storage', '2'],
  );
  expect(created).toMatchObject({ status: 0 });
  expect(await inside('hostname')).toBe('web');
  const bootId = await inside('cat /proc/sys/kernel/random/boot_id');
  expect(instances()).toEqual([expect.stringMatching(/^golem-[a-z2-7]{20}$/)]);

  const [provider] = stack.providers;
  await provider?.end('SIGKILL');
  await provider?.restart();
  expect(await inside('cat /proc/sys/kernel/random/boot_id')).toBe(bootId);
});

test('a VM is unknown while the daemon is down, and lives', async () => {
  await standIn.down();
  const state = async () =>
    (await json<{ state: string }>(golem('vm', 'info', 'web', '-o', 'json'))).state;
  await expect.poll(state, { timeout: 60_000, interval: 1_000 }).toBe('unknown');
  await standIn.up();
  await expect.poll(state, { timeout: 60_000, interval: 1_000 }).toBe('running');
  expect(await inside('hostname')).toBe('web');
});

test('a VM that is given back is gone', async () => {
  expect(await golem('vm', 'destroy', 'web', '--yes')).toMatchObject({ status: 0 });
  expect(instances()).toEqual([]);
});
