/** A real VM that is shared: another key goes in, is cut off while in, and stays out. Its owner goes on. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { golemFor, json, type Golem } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';

interface VmOutput {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly sharedBy: string | null;
}
interface Usage {
  readonly totalNanoUsd: number;
  readonly vms: readonly {
    readonly id: string;
    readonly runningHours: number;
    readonly storedHours: number;
    readonly recordedNanoUsd: number;
  }[];
}
interface Keys {
  readonly requestor: string;
  readonly sshKey: string;
}

const SPEC = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
const launcher = join(import.meta.dirname, '../../cli/bin/golem.js');

let dir: string;
let stack: Stack;
let alice: Golem;
let bob: Golem;
let his: Keys;
let vm: VmOutput;
const children = new Set<ChildProcessWithoutNullStreams>();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'h-'));
  stack = await startStack({ providers: 1, driver: 'qemu', dir: join(dir, 's') });
  alice = golemFor(stack.env, join(dir, 'alice'));
  bob = golemFor(stack.env, join(dir, 'bob'));
  his = await json<Keys>(bob('vm', 'key', '-o', 'json'));
  vm = await json<VmOutput>(alice('vm', 'create', 'web', ...SPEC, '-o', 'json'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** `cat` in the guest, by a session that stays open. */
function catOf(home: string, name: string): ChildProcessWithoutNullStreams {
  const env = { ...process.env, ...stack.env, GOLEM_HOME: join(dir, home) };
  const child = spawn(process.execPath, [launcher, 'vm', 'ssh', name, '--', 'cat'], { env });
  children.add(child);
  return child;
}

async function echo(child: ChildProcessWithoutNullStreams, line: string): Promise<void> {
  child.stdin.write(`${line}\n`);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(said.toString()).toBe(`${line}\n`);
}

const authorized = async () =>
  (await alice('vm', 'ssh', 'web', '--', 'cat ~/.ssh/authorized_keys')).stdout;

describe('a VM that is shared', () => {
  test('is closed to the other before', async () => {
    const { status, stderr } = await bob('vm', 'accept', `${vm.provider}/${vm.id}`);
    expect(status).toBe(3);
    expect(stderr).toContain('no such VM');
  });

  test('is opened by its owner, who puts the key in', async () => {
    const before = await authorized();
    const words = ['vm', 'share', 'web', '--with', his.requestor, '--ssh-key', his.sshKey];
    const shared = await alice(...words);
    expect(shared.stderr).toContain(`golem vm accept ${vm.provider}/${vm.id}`);
    expect(shared.status).toBe(0);
    const [type, blob] = his.sshKey.split(' ');
    const after = `${before}${type} ${blob} golem-share:${his.requestor}\n`;
    expect(await authorized()).toBe(after);
    // Again is the same.
    expect((await alice(...words)).status).toBe(0);
    expect(await authorized()).toBe(after);
  });

  test('is entered by the other with a key of their own, and no more than that', async () => {
    const taken = await bob('vm', 'accept', `${vm.provider}/${vm.id}`, '--name', 'hers');
    expect(taken).toMatchObject({ status: 0 });
    const { stdout, status } = await bob('vm', 'ssh', 'hers', '--', 'hostname');
    expect([stdout, status]).toEqual(['web\n', 0]);
    const listed = await json<VmOutput[]>(bob('vm', 'list', '-o', 'json'));
    expect(listed).toMatchObject([{ name: 'hers', id: vm.id }]);
    expect(listed[0]?.sharedBy).toMatch(/^gr_/);
    for (const words of [
      ['stop', 'hers'],
      ['destroy', 'hers', '--yes'],
      ['renew', 'hers'],
    ]) {
      const refused = await bob('vm', ...words);
      expect(refused.status).toBe(4);
      expect(refused.stderr).toContain('Only the owner');
    }
  });

  test('is closed to them at once, while its owner’s session carries every byte', async () => {
    const [hers, theirs] = [catOf('alice', 'web'), catOf('bob', 'hers')];
    await Promise.all([echo(hers, 'alice'), echo(theirs, 'bob')]);
    const said = text(theirs.stderr);
    const closed = once(theirs, 'close') as Promise<[number]>;
    const sent = randomBytes(2 * 1024 * 1024);
    const heard = buffer(hers.stdout);
    hers.stdin.write(sent.subarray(0, sent.length / 2));

    expect(await alice('vm', 'unshare', 'web', '--with', his.requestor)).toMatchObject({
      status: 0,
    });
    expect((await closed)[0]).toBe(255);
    expect(await said).toContain('the VM is not shared with this key any more');
    expect(await authorized()).not.toContain(his.requestor);

    hers.stdin.end(sent.subarray(sent.length / 2));
    expect(Buffer.compare(await heard, sent)).toBe(0);
    const again = await bob('vm', 'ssh', 'hers', '--', 'hostname');
    expect(again.status).toBe(255);
    expect(again.stderr).toContain('no such VM');
    expect(await json<VmOutput[]>(bob('vm', 'list', '-o', 'json'))).toEqual([]);
  });

  test('is taken back also while it does not run, and its owner is told what is left', async () => {
    const words = ['--with', his.requestor];
    expect((await alice('vm', 'share', 'web', ...words, '--ssh-key', his.sshKey)).status).toBe(0);
    expect((await alice('vm', 'stop', 'web')).status).toBe(0);
    const { status, stderr } = await alice('vm', 'unshare', 'web', ...words);
    expect(status).toBe(5);
    expect(stderr).toContain('their SSH key is still in it: it is stopped.');
    expect((await bob('vm', 'accept', `${vm.provider}/${vm.id}`)).status).toBe(3);
  });

  test('has a history and a price, which its owner reads, also when it is gone', async () => {
    expect((await alice('vm', 'destroy', 'web', '--yes')).status).toBe(0);
    const events = await json<{ kind: string }[]>(
      alice('vm', 'events', `${vm.provider}/${vm.id}`, '-o', 'json'),
    );
    expect(events.map(({ kind }) => kind)).toEqual([
      ...['create', 'create.done', 'share', 'share', 'unshare', 'share', 'stop', 'stop.done'],
      ...['unshare', 'destroy', 'destroy.done'],
    ]);
    // Her book is empty; to the provider she is who she was.
    const created = alice('vm', 'create', 'next', ...SPEC, '--no-wait');
    expect((await created).status).toBe(0);
    const [usage] = await json<Usage[]>(alice('vm', 'usage', '-o', 'json'));
    expect(usage?.vms).toMatchObject([{ id: vm.id, name: 'web' }]);
    expect(usage?.vms[0]?.runningHours).toBeGreaterThan(0);
    expect(usage?.vms[0]?.storedHours).toBeGreaterThan(0);
    expect(usage?.totalNanoUsd).toBeGreaterThanOrEqual(usage?.vms[0]?.recordedNanoUsd ?? Infinity);
    expect(await json<Usage[]>(bob('vm', 'usage', '-o', 'json'))).toEqual([]);
  });
});
