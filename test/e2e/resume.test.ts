/** What kills other tunnels, in the middle of a transfer: no byte is lost, and ssh notices nothing. */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golemFor, json } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';

const BYTES = 32 * 1024 * 1024;
const launcher = join(import.meta.dirname, '../..', 'cli/bin/golem.js');

let dir: string;
let stack: Stack;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'u-'));
  stack = await startStack({ providers: 1, driver: 'memory', dir: join(dir, 's') });
  const golem = golemFor(stack.env, join(dir, 'g'));
  const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
  await json(golem('vm', 'create', 'web', ...spec, '-o', 'json'));
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

test('discovery is killed with -9 and started again: 32 MiB go there and back', async () => {
  const sent = randomBytes(BYTES);
  const child = spawn(process.execPath, [launcher, 'vm', 'ssh', 'web', '--', 'cat'], {
    env: { ...process.env, ...stack.env, GOLEM_HOME: join(dir, 'g') },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => child.kill());
  child.stdin.end(sent);
  const closed = once(child, 'close');
  const chunks: Buffer[] = [];
  let arrived = 0;
  const kills: Promise<void>[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    arrived += chunk.length;
    if (arrived < BYTES / 8 || kills.length > 0) return;
    kills.push(stack.endDiscovery('SIGKILL').then(() => stack.restartDiscovery()));
  });
  expect(await closed).toEqual([0, null]);
  expect(kills).toHaveLength(1);
  await Promise.all(kills);
  expect(Buffer.compare(Buffer.concat(chunks), sent)).toBe(0);
});
