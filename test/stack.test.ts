/** The commands that people type: `npm run stack`, and the programs as they are shipped. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golemFor, run } from './golem.ts';

const root = join(import.meta.dirname, '..');
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const processes = async () => {
  const { stdout } = await run(['ps', '-eo', 'args='], { env: {} });
  return stdout.split('\n').filter((line) => line.includes(dir) && !line.startsWith('ps '));
};

test('a stack says when it is ready, and leaves neither process nor guest behind', async () => {
  const args = ['--providers', '1', '--driver', 'qemu', '--dir', join(dir, 's')];
  const stack = spawn(process.execPath, [join(root, 'scripts/stack.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(stack, 'exit');
  const [line] = (await once(createInterface({ input: stack.stdout }), 'line')) as [string];
  const ready = JSON.parse(line) as { providers: { id: string }[]; env: Record<string, string> };
  expect(ready.providers).toHaveLength(1);

  const golem = golemFor(ready.env, join(dir, 'golem'));
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
  expect((await golem('vm', 'create', 'left-behind', ...spec)).status).toBe(0);
  expect((await processes()).some((command) => command.includes('qemu-system'))).toBe(true);
  stack.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(await processes()).toEqual([]);
});

test.each([
  ['cli', 'golem'],
  ['agent', 'golem-provider'],
])('%s is one file that runs outside of the repository', async (workspace, program) => {
  execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { stdio: 'pipe' });
  const shipped = join(dir, program);
  for (const part of ['bin', 'dist', 'package.json']) {
    await cp(join(root, workspace, part), join(shipped, part), { recursive: true });
  }
  const launcher = join(shipped, 'bin', `${program}.js`);
  expect(await run([process.execPath, launcher, '--version'], { env: {} })).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/\d+\.\d+\.\d+\n$/) as string,
  });
  const typo = await run([process.execPath, launcher, 'versoin'], { env: {} });
  expect(typo.status).toBe(2);
  expect(typo.stderr).toMatch(/did you mean/i);
});
