/** The name of a request: the same in what golem prints and in what the provider writes down. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { golemFor, type Golem } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';

let dir: string;
let stack: Stack;
let golem: Golem;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'r-'));
  stack = await startStack({
    ...{ providers: 1, driver: 'memory', dir: join(dir, 's') },
    providerFlags: ['--cpus', '4'],
  });
  golem = golemFor(stack.env, join(dir, 'golem'));
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

async function linesOf(request: string): Promise<Record<string, unknown>[]> {
  const [provider] = stack.providers;
  const text = await readFile(provider?.log ?? '', 'utf8');
  return text
    .split('\n')
    .filter((line) => line.includes(request))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('what golem says of a refusal is found at the provider', async () => {
  const created = await golem(
    'vm',
    'create',
    'web',
    '--cpu',
    '1',
    '--memory',
    '256M',
    '--storage',
    '1',
  );
  expect(created).toMatchObject({ status: 0 });
  expect(await golem('vm', 'stop', 'web')).toMatchObject({ status: 0 });
  const refused = await golem('vm', 'restart', 'web', '-o', 'json');
  expect(refused.status).not.toBe(0);
  const { error } = JSON.parse(refused.stderr) as { error: { code: string; requestId: string } };
  expect(error).toMatchObject({
    code: 'wrong_state',
    requestId: expect.stringMatching(/^req_/) as string,
  });
  expect(await linesOf(error.requestId)).toMatchObject([
    { msg: 'request', method: 'POST', route: '/vms/:vm/restart', status: 409 },
  ]);
});

test('the name that golem shows of a creation is on every line down to the driver', async () => {
  const debugging = golemFor({ ...stack.env, GOLEM_DEBUG: '1' }, join(dir, 'golem'));
  const { stderr } = await debugging(
    ...['vm', 'create', 'two', '--cpu', '1', '--memory', '256M', '--storage', '1'],
  );
  const request = /^golem: POST \/v1\/providers\/gp_\w+\/vms 202 (req_[a-z2-7]{20}) \d+ ms$/m.exec(
    stderr,
  )?.[1];
  const lines = await linesOf(request ?? 'none was shown');
  expect(lines.every((line) => line['request'] === request)).toBe(true);
  expect(lines.map(({ msg, call }) => call ?? msg)).toEqual(
    expect.arrayContaining(['request', 'stage', 'launch', 'operation ended']),
  );
});
