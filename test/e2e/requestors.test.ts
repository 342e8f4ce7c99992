/** Several requestors and providers at once, and what a hostile or careless one may send. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paths } from '../../shared/src/api.ts';
import { errorBodySchema } from '../../shared/src/error-body.ts';
import { generateIdentity, type Identity } from '../../shared/src/keys.ts';
import { signRequest } from '../../shared/src/signing.ts';
import { golemFor, json } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';

interface VmOutput {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
}

const SPEC = ['--cpu', '1', '--memory', '256M', '--storage', '2'];

let dir: string;
let stack: Stack;
const requestor = (name: string) => golemFor(stack.env, join(dir, name));

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'r-'));
  stack = await startStack({
    providers: 2,
    driver: 'memory',
    dir: join(dir, 's'),
    providerFlags: ['--cpus', '2'],
  });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

test('one name, two requestors, one provider: two VMs', async () => {
  const [alice, bob] = [requestor('alice'), requestor('bob')];
  const provider = stack.providers[0]?.id ?? '';
  const create = ['vm', 'create', 'web', '--provider', provider, ...SPEC, '-o', 'json'];
  const hers = await json<VmOutput>(alice(...create));
  const his = await json<VmOutput>(bob(...create));
  expect(hers.id).not.toBe(his.id);
  expect((await alice('vm', 'ssh', 'web', '--', 'echo hers > owner')).status).toBe(0);
  expect((await bob('vm', 'ssh', 'web', '--', 'echo his > owner')).status).toBe(0);
  expect((await alice('vm', 'ssh', 'web', '--', 'cat owner')).stdout).toBe('hers\n');
  expect((await bob('vm', 'destroy', 'web', '--yes')).status).toBe(0);
  expect((await alice('vm', 'ssh', 'web', '--', 'cat owner')).stdout).toBe('hers\n');
  expect((await alice('vm', 'destroy', 'web', '--yes')).status).toBe(0);
});

test('who is refused by one provider gets in at the next', async () => {
  const names = ['one', 'two', 'three', 'four'];
  // Each provider has room for two; all four ask at once, and all ask the same one first.
  const created = await Promise.all(
    names.map((name) =>
      json<VmOutput>(requestor(name)('vm', 'create', name, ...SPEC, '-o', 'json')),
    ),
  );
  for (const { id } of stack.providers) {
    expect(created.filter(({ provider }) => provider === id)).toHaveLength(2);
  }
  const late = await requestor('late')('vm', 'create', 'late', ...SPEC);
  expect(late).toMatchObject({ status: 6, stdout: '' });
  expect(late.stderr).toMatch(/no provider offers this/i);
  for (const name of names) {
    expect((await requestor(name)('vm', 'destroy', name, '--yes')).status).toBe(0);
  }
});

test("a price above the limit is nobody's", async () => {
  const { status, stderr } = await requestor('poor')(
    'vm',
    'create',
    'web',
    ...SPEC,
    '--max-price',
    '0.0001',
  );
  expect(status).toBe(6);
  expect(stderr).toMatch(/no provider offers this/i);
});

describe('what golem refuses itself, with exit code 2', () => {
  test.each([
    ['a name that looks like an option', ['create', '--', '-rf']],
    ['a name that looks like a path', ['create', '../../etc/passwd']],
    ['a name with capitals', ['create', 'Web']],
    ['an image that looks like a path', ['create', 'web', '--image', '../disk']],
    ['an image that looks like an option', ['create', 'web', '--image=--help']],
    ['a size that does not exist', ['create', 'web', '--size', 'huge']],
    ['no CPUs', ['create', 'web', '--cpu', '0']],
    ['a memory in bananas', ['create', 'web', '--memory', '4 bananas']],
    ['a price in bananas', ['create', 'web', '--max-price', '1e3']],
    ['a key that is none', ['create', 'web', '--ssh-key', '/etc/hostname']],
    ['an option that does not exist', ['create', 'web', '--memroy', '4G']],
    ['a command that does not exist', ['crate', 'web']],
  ])('%s', async (_, words) => {
    const golem = requestor('careless');
    const { status, stdout, stderr } = await golem('vm', ...words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^golem: /);
    await expect(json(golem('vm', 'list', '-o', 'json'))).resolves.toEqual([]);
  });
});

describe('what a provider refuses, signed as it may be', () => {
  let mallory: Identity;
  beforeAll(async () => {
    mallory = await generateIdentity('requestor');
  });
  const good = {
    name: 'web',
    resources: { cpus: 1, memoryMiB: 256, storageGiB: 2 },
    image: 'memory',
    sshKeys: [`ssh-ed25519 ${'A'.repeat(68)}`],
  };
  const send = async (method: 'GET' | 'POST', path: string, body?: string) => {
    const request = await signRequest(
      {
        method,
        url: stack.discovery + path,
        ...(body === undefined ? {} : { body, idempotencyKey: `key-${crypto.randomUUID()}` }),
      },
      mallory,
      { now: Date.now },
    );
    const { url, headers } = request;
    return fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  };

  test.each([
    ['no JSON', '{', 400],
    ['another shape', '[]', 400],
    ['a field too many', JSON.stringify({ ...good, admin: true }), 400],
    ['a name that is a path', JSON.stringify({ ...good, name: '../x' }), 400],
    ['a name that is an option', JSON.stringify({ ...good, name: '--help' }), 400],
    ['an image that is a path', JSON.stringify({ ...good, image: '/etc/passwd' }), 400],
    ['an image that nobody has', JSON.stringify({ ...good, image: 'windows-95' }), 422],
    ['half a CPU', JSON.stringify({ ...good, resources: { ...good.resources, cpus: 0.5 } }), 400],
    [
      'a negative disk',
      JSON.stringify({ ...good, resources: { ...good.resources, storageGiB: -1 } }),
      400,
    ],
    [
      'more than there is',
      JSON.stringify({ ...good, resources: { ...good.resources, cpus: 500 } }),
      409,
    ],
    ['no key', JSON.stringify({ ...good, sshKeys: [] }), 400],
    [
      'two keys in one',
      JSON.stringify({ ...good, sshKeys: [`${good.sshKeys[0]}\nssh-rsa AAAA`] }),
      400,
    ],
    [
      'a key with a command',
      JSON.stringify({ ...good, sshKeys: [`command="sh" ${good.sshKeys[0]}`] }),
      400,
    ],
    ['100 KiB', JSON.stringify({ ...good, name: 'x'.repeat(100_000) }), 413],
  ])('%s', async (_, body, status) => {
    const provider = stack.providers[0]?.id ?? '';
    const answer = await send('POST', paths.vms(provider), body);
    expect(answer.status).toBe(status);
    expect(errorBodySchema.parse(await answer.json()).error.message).not.toBe('');
    const list = await send('GET', paths.vms(provider));
    expect(await list.json()).toEqual({ vms: [], next: null });
  });
});
