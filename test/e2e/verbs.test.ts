/** Every verb of `golem vm` on a real network, with the driver that needs no hypervisor. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { golemFor, json, type Golem } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';

interface VmOutput {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly memoryMiB: number;
  readonly provider: string;
}

const SPEC = ['--cpu', '1', '--memory', '256M', '--storage', '2'];

let dir: string;
let stack: Stack;
let golem: Golem;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'v-'));
  stack = await startStack({ providers: 2, driver: 'memory', dir: join(dir, 's') });
  golem = golemFor(stack.env, join(dir, 'alice'));
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const vm = (...words: string[]) => golem('vm', ...words);
const of = <Data>(...words: string[]) => json<Data>(vm(...words, '-o', 'json'));
const state = async (name = 'web') => (await of<VmOutput>('info', name)).state;

/** Exits with 0 and says nothing on standard output. */
async function done(...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await vm(...words);
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr });
  return stderr;
}

test('what it would cost, before it is rented', async () => {
  const estimates = await of<{ totalNanoUsd: number; hourlyPriceNanoUsd: number }[]>(
    ...['estimate', ...SPEC, '--for', '10h'],
  );
  expect(estimates).toHaveLength(2);
  for (const { totalNanoUsd, hourlyPriceNanoUsd } of estimates) {
    expect(totalNanoUsd).toBe(hourlyPriceNanoUsd * 10);
  }
  const poor = await vm('create', 'web', ...SPEC, '--max-price', '0.000001');
  expect(poor.status).toBe(6);
  expect(poor.stderr).toMatch(/The cheapest, provider-\d, asks \$\d/);
});

describe('one VM', () => {
  test('is created with labels and an end, and by one of two at once', async () => {
    const create = ['create', 'web', ...SPEC, '--label', 'kind=ci', '--ttl', '1d'];
    const both = await Promise.all([vm(...create), vm(...create)]);
    expect(both.map(({ status }) => status).sort()).toEqual([0, 5]);
    await expect(of('info', 'web')).resolves.toMatchObject({
      ...{ state: 'running', labels: { kind: 'ci' }, sharedWith: [] },
      destroyAt: expect.stringMatching(/Z$/),
    });
  });

  test('is suspended and goes on, is stopped, waited for, and starts', async () => {
    await done('suspend', 'web');
    expect(await state()).toBe('suspended');
    await done('resume', 'web');
    expect(await state()).toBe('running');
    await done('restart', 'web', '--timeout', '1m');
    await done('stop', 'web', '--no-wait');
    await expect(of('wait', 'web')).resolves.toMatchObject({ state: 'stopped' });
    await done('start', '--label', 'kind=ci');
    expect(await state()).toBe('running');
  });

  test('has snapshots, and goes back to one', async () => {
    const running = await vm('snapshot', 'web', '--name', 'before');
    expect(running.status).toBe(5);
    await expect(of('snapshot', 'web', '--name', 'before', '--stop')).resolves.toMatchObject({
      ...{ vm: 'web', name: 'before' },
    });
    expect(await state()).toBe('running');
    await done('restore', 'web', 'before', '--stop', '--yes');
    await expect(of<unknown[]>('snapshot', 'web', '--list')).resolves.toHaveLength(1);
    await done('snapshot', 'web', '--delete', 'before', '--stop', '--yes');
    await expect(of('snapshot', 'web', '--list')).resolves.toEqual([]);
  });

  test('gets another size', async () => {
    await done('resize', 'web', '--memory', '512M', '--stop', '--yes');
    await expect(of('info', 'web')).resolves.toMatchObject({ memoryMiB: 512, state: 'running' });
  });

  test('is looked at', async () => {
    await expect(of('stats', 'web')).resolves.toMatchObject({ name: 'web', memoryMiB: 512 });
    await expect(of('console', 'web')).resolves.toEqual({ text: expect.any(String) });
    const events = await of<{ kind: string }[]>('events', 'web', '-n', '3');
    expect(events).toHaveLength(3);
    await expect(of('cost', 'web')).resolves.toMatchObject([{ totalNanoUsd: expect.any(Number) }]);
  });

  test('is followed to its end', async () => {
    const { id, provider } = await of<VmOutput>('info', 'web');
    const followed = vm('events', `${provider}/${id}`, '-f', '-o', 'json');
    await done('destroy', 'web', '--yes');
    const { status, stdout } = await followed;
    expect(status).toBe(0);
    const kinds = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect([kinds[0], kinds.at(-1)]).toEqual(['create', 'destroy.done']);
  });
});

test('what is lost is shown as it was, found again by the key alone, and purged', async () => {
  const [first, second] = stack.providers;
  if (!first || !second) throw new Error('there are two providers');
  await of('create', 'a', ...SPEC, '--provider', first.id);
  await of('create', 'b', ...SPEC, '--provider', second.id);
  await first.end('SIGTERM');
  await expect(of('info', 'a')).resolves.toMatchObject({ state: 'unreachable' });
  const refused = await vm('purge', '--yes');
  expect(refused.status).toBe(7);
  expect(refused.stderr).toContain('--force');
  await first.restart();
  // Without any state but the key.
  await rm(join(dir, 'alice/vms'), { recursive: true });
  const gone = await of<{ name: string }[]>('purge', '--yes');
  expect(gone.map(({ name }) => name).sort()).toEqual(['a', 'b']);
});
