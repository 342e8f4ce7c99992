/** What belongs to a person, over a whole network: state that is lost, a key that moves, a key that is replaced. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golemFor, json, launcher } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';

interface VmOutput {
  readonly name: string;
  readonly state: string;
  readonly provider: string;
  readonly offlineSince: string | null;
}
interface Rotated {
  readonly requestor: string;
  readonly waitingFor: readonly { readonly provider: string }[];
}

const SPEC = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
const KILLS = 6;
let dir: string;
let stack: Stack;
const person = (name: string) => golemFor(stack.env, join(dir, name));
const home = (name: string, ...more: string[]) => join(dir, name, ...more);

async function listed(name: string, ...options: string[]): Promise<string[]> {
  const vms = await json<VmOutput[]>(person(name)('vm', 'list', '-o', 'json', ...options));
  return vms.map(({ name: vm, state }) => `${vm} ${state}`);
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'o-'));
  stack = await startStack({ providers: 2, driver: 'memory', dir: join(dir, 's') });
  const golem = person('ann');
  for (const [at, { id }] of stack.providers.entries()) {
    await json(golem('vm', 'create', `web-${at}`, '--provider', id, ...SPEC, '-o', 'json'));
  }
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

test('state that is gone is found again, and VMs can be gone into', async () => {
  await rm(home('ann', 'vms'), { recursive: true });
  await rm(home('ann', 'ssh'), { recursive: true });
  expect(await listed('ann')).toEqual(['web-0 running', 'web-1 running']);
  const inside = await person('ann')('vm', 'ssh', 'web-1', '--', 'echo inside');
  expect(inside).toMatchObject({ status: 0, stdout: 'inside\n' });
});

test('the key alone is enough on another machine', async () => {
  await mkdir(home('moved'), { mode: 0o700 });
  await copyFile(home('ann', 'key.json'), home('moved', 'key.json'));
  expect(await listed('moved')).toEqual(['web-0 running', 'web-1 running']);
  const inside = await person('moved')('vm', 'ssh', 'web-0', '--', 'echo inside');
  expect(inside).toMatchObject({ status: 0, stdout: 'inside\n' });
});

test('a provider that is gone is unreachable since then, and the rest is listed', async () => {
  await stack.providers[1]?.end('SIGTERM');
  const vms = await json<VmOutput[]>(person('ann')('vm', 'list', '-o', 'json'));
  expect(vms.map(({ name, state }) => `${name} ${state}`)).toEqual([
    ...['web-0 running', 'web-1 unreachable'],
  ]);
  expect(Date.parse(vms[1]?.offlineSince ?? '')).toBeLessThanOrEqual(Date.now());
  expect(await listed('ann', '--cached')).toEqual(['web-0 running', 'web-1 running']);
});

test('a rotation waits for a provider that is offline, and loses nothing', async () => {
  const golem = person('ann');
  const before = await readFile(home('ann', 'key.json'), 'utf8');
  const rotated = await golem('key', 'rotate', '--yes', '-o', 'json');
  expect(rotated.status).toBe(7);
  const { waitingFor } = JSON.parse(rotated.stdout) as Rotated;
  expect(waitingFor.map(({ provider }) => provider)).toEqual([stack.providers[1]?.id]);
  expect(await readFile(home('ann', 'key.json'), 'utf8')).not.toBe(before);
  expect(await listed('ann')).toEqual(['web-0 running', 'web-1 unreachable']);
  // Whoever has the old key only has lost what was moved, and nothing of what was not.
  expect(await listed('moved')).toEqual(['web-1 unreachable']);

  await stack.providers[1]?.restart();
  expect(await listed('ann')).toEqual(['web-0 running', 'web-1 running']);
  await expect(readFile(home('ann', 'rotation.json'))).rejects.toHaveProperty('code', 'ENOENT');
  expect(await listed('moved')).toEqual([]);
  const inside = await golem('vm', 'ssh', 'web-1', '--', 'echo inside');
  expect(inside).toMatchObject({ status: 0, stdout: 'inside\n' });
});

test('a rotation that is killed, wherever, is finished by what comes next', async () => {
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(process.execPath, [launcher, 'key', 'rotate', '--yes'], {
      env: { ...process.env, ...stack.env, GOLEM_HOME: home('ann') },
      stdio: 'ignore',
    });
    const closed = once(child, 'close');
    await Promise.race([sleep(250 + kill * 60), closed]);
    child.kill('SIGKILL');
    await closed;
    expect(await listed('ann')).toEqual(['web-0 running', 'web-1 running']);
  }
});

test('doctor finds nothing that fails, and exits so', async () => {
  const { status, stdout } = await person('ann')('doctor', '-o', 'json');
  const checks = JSON.parse(stdout) as { name: string; level: string }[];
  expect(checks.filter(({ level }) => level === 'failure')).toEqual([]);
  expect(checks.map(({ name }) => name)).toContain('clock');
  expect(status).toBe(0);
});
