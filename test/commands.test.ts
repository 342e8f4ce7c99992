/** The commands that people type in this repository. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golemFor, run } from './golem.ts';
import { processesBelow } from './leftovers.ts';

const root = join(import.meta.dirname, '..');
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('a stack says when it is ready, and leaves neither process nor guest behind', async () => {
  const args = ['--providers', '1', '--driver', 'qemu', '--dir', join(dir, 's')];
  const stack = spawn('npm', ['run', '--silent', 'stack', '--', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(stack, 'exit');
  const [line] = (await once(createInterface({ input: stack.stdout }), 'line')) as [string];
  const ready = JSON.parse(line) as { providers: { id: string }[]; env: Record<string, string> };
  expect(ready.providers).toHaveLength(1);

  const golem = golemFor(ready.env, join(dir, 'golem'));
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
  expect((await golem('vm', 'create', 'left-behind', ...spec)).status).toBe(0);
  expect(processesBelow(dir).some((command) => command.includes('qemu-system'))).toBe(true);
  stack.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(processesBelow(dir)).toEqual([]);
});

test('the demo goes to its end', async () => {
  const env = { TMPDIR: dir };
  const { status, stdout } = await run(['npm', 'run', '--silent', 'demo'], { env, cwd: root });
  expect(status).toBe(0);
  expect(stdout).toMatch(/\tprovider-1\t/);
  expect(stdout).toMatch(/^ID=debian$/m);
  const sums = [...stdout.matchAll(/^(?:here|there) +([0-9a-f]{64})$/gm)].map(([, sum]) => sum);
  expect(sums).toEqual([sums[0], sums[0]]);
  expect(stdout).toContain('No process and no guest is left.');
  expect(processesBelow(dir)).toEqual([]);
});

test('the demo cleans up when it is stopped in the middle', async () => {
  const demo = spawn('npm', ['run', '--silent', 'demo'], {
    cwd: root,
    env: { ...process.env, TMPDIR: dir },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(demo, 'exit');
  const said: string[] = [];
  for await (const line of createInterface({ input: demo.stderr })) {
    said.push(line);
    // While `golem` waits and a guest is up.
    if (line.includes('ssh: waiting')) demo.kill('SIGTERM');
  }
  expect({ exit: await exited, said }).toEqual({ exit: [130, null], said });
  expect(processesBelow(dir)).toEqual([]);
});
