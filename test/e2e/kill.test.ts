/** An agent that is killed in the middle of a creation: finished or rolled back, and nothing leaks. */
import { readdir } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golemFor, json, type Golem } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';
import { processesBelow } from '../leftovers.ts';

let dir: string;
let stack: Stack;
let golem: Golem;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k-'));
  stack = await startStack({ providers: 1, driver: 'qemu', dir: join(dir, 's') });
  golem = golemFor(stack.env, join(dir, 'golem'));
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const guestProcesses = () =>
  processesBelow(dir).filter((command) => command.includes('qemu-system')).length;

/** Milliseconds after the request at which the agent dies: before, in and after the boot. */
test.each([50, 400, 1500, 3000])('killed %i ms into a creation', async (delay) => {
  const [provider] = stack.providers;
  if (!provider) throw new Error('no provider');
  const name = `vm-${delay}`;
  const creation = golem('vm', 'create', name, '--cpu', '1', '--memory', '256M', '--storage', '2');
  await new Promise((resolve) => setTimeout(resolve, 500 + delay));
  await provider.end('SIGKILL');
  await provider.restart();
  await creation;
  const waited = await golem('vm', 'wait', name);
  const listed = await json<{ name: string; state: string }[]>(golem('vm', 'list', '-o', 'json'));
  if (waited.status === 0) {
    expect(listed).toMatchObject([{ name, state: 'running' }]);
    expect((await golem('vm', 'ssh', name, '--', 'hostname')).stdout).toBe(`${name}\n`);
    expect((await golem('vm', 'destroy', name, '--yes')).status).toBe(0);
  }
  expect(guestProcesses()).toBe(0);
  expect(await readdir(join(provider.dataDir, 'guests'))).toEqual([]);
  const { stdout } = await golem('vm', 'providers', '--cpu', '1', '--memory', '256M', '-o', 'json');
  const [row] = JSON.parse(stdout) as { available: unknown; capacity: unknown }[];
  expect(row?.available).toEqual(row?.capacity);
});
