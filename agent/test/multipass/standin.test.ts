/** That the stand-in says and does what Multipass does, as its sources have it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { since, VERSIONS, type Version } from '../../../test/multipass/wire.ts';
import { Bench } from './bench.ts';

const SPINNER = '\u001b[2K\u001b[0A\u001b[0E';
const EMPTY = '{\n    "list": [\n    ]\n}\n';

describe.each(VERSIONS)('multipass %s', { timeout: 60_000 }, (version: Version) => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open(version);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const run = (line: string) => bench.operator(...line.split(' ').filter((word) => word !== ''));
  const several = (words: string) => `The following errors occurred:\n${words}`;

  test('says who it is, and who its daemon is', async () => {
    const both = `{\n    "multipass": "${version}",\n    "multipassd": "${version}"\n}\n`;
    expect(await run('version --format json')).toEqual({ code: 0, stdout: both, stderr: '' });
    await bench.standIn.down();
    const one = `{\n    "multipass": "${version}"\n}\n`;
    expect(await run('version --format json')).toEqual({ code: 0, stdout: one, stderr: '' });
    expect(await run('list --format json')).toEqual({
      ...{ code: 2, stdout: '', stderr: 'list failed: cannot connect to the multipass socket\n' },
    });
    await bench.standIn.up();
  });

  test.each([
    ['info none --format json', 2, `info failed: ${several('instance "none" does not exist')}\n`],
    ['stop none', 2, `stop failed: ${several('instance "none" does not exist')}\n`],
    ['start none', 2, "start failed: instance(s) missing\nInstance 'none' does not exist.\n"],
    ['delete none', 2, `delete failed: ${several('instance "none" does not exist')}\n`],
    [
      'set local.none.cpus=0',
      2,
      'set failed: Cannot update instance settings; instance: none; reason: No such instance\n',
    ],
    [
      'launch --name a_b',
      2,
      'launch failed: Invalid arguments supplied\nInvalid instance name supplied: a_b\n',
    ],
    [
      'launch --memory 1M',
      2,
      'launch failed: Invalid arguments supplied\nInvalid memory size value supplied: 1M.\n',
    ],
    [
      'launch --disk 1.5',
      2,
      'launch failed: Invalid arguments supplied\nInvalid disk size value supplied: 1.5.\n',
    ],
    ['launch --cpus 0', 1, "Error: invalid CPU count '0', need a positive integer value.\n"],
    [
      'launch file:///no/such.img',
      2,
      'launch failed: Custom image `/no/such.img` does not exist.\n',
    ],
    ['restore none.first', 1, '[error] [client] Caught an unhandled exception\n'],
  ])('refuses %s with %i', async (line, code, stderr) => {
    expect(await run(line)).toMatchObject({ code, stderr });
  });

  test('leads an instance through its life', async () => {
    expect(await run('list --format json')).toMatchObject({ code: 0, stdout: EMPTY });
    const launched = await run('launch --name foo --memory 256M --disk 1G --timeout 60');
    expect(launched).toMatchObject({ code: 0, stderr: '' });
    expect(launched.stdout).toContain(SPINNER);
    expect(launched.stdout.endsWith('Launched: foo\n')).toBe(true);
    const { stdout: listed } = await run('list --format json');
    expect(listed).toMatch(
      /^\{\n {4}"list": \[\n {8}\{\n {12}"ipv4": \[\n {16}"127\.77\.\d+\.\d+"\n {12}\],\n {12}"name": "foo",\n/,
    );
    expect(listed.endsWith('            "state": "Running"\n        }\n    ]\n}\n')).toBe(true);
    const info = JSON.parse((await run('info foo --format json')).stdout) as {
      info: Record<string, Record<string, unknown>>;
    };
    expect(info.info['foo']).toMatchObject({
      ...{ cpu_count: '1', snapshot_count: '0', state: 'Running' },
      disks: { sda1: { total: '1073741824' } },
      memory: { total: 268435456 },
    });

    expect(await run('start foo')).toMatchObject({ code: 0 });
    expect(await run('launch --name foo')).toMatchObject({
      ...{ code: 2, stderr: 'launch failed: instance "foo" already exists\n' },
    });
    expect(await run('snapshot foo')).toMatchObject({
      stderr: 'snapshot failed: Multipass can only take snapshots of stopped instances.\n',
    });
    expect(await run('set local.foo.cpus=2')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('reason: Instance must be stopped for modification'),
    });
    expect(await run('stop foo')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(SPINNER),
    });
    expect(await run('stop foo')).toMatchObject({ code: 0 });
    expect((await run('info foo --format json')).stdout).toContain('"ipv4": [\n            ]');

    expect(await run('snapshot foo --name one')).toMatchObject({
      ...{ code: 0, stdout: expect.stringMatching(/Snapshot taken: foo\.one\n$/) },
    });
    expect(await run('snapshot foo --name one')).toMatchObject({
      stderr: 'snapshot failed: Snapshot already exists: foo.one\n',
    });
    expect(await run('set local.foo.disk=2G')).toMatchObject({ code: 0 });
    expect(await run('get local.foo.disk')).toMatchObject({ stdout: '2.0GiB\n' });
    expect(await run('set local.foo.disk=1G')).toMatchObject({
      stderr: "set failed: Invalid setting 'local.foo.disk=1G': Disk can only be expanded\n",
    });
    expect(await run('restore --destructive foo.one')).toMatchObject({ code: 0 });
    // It gives back the size as well.
    expect(await run('get local.foo.disk')).toMatchObject({ stdout: '1.0GiB\n' });
    expect(await run('restore --destructive foo.two')).toMatchObject({
      stderr: 'restore failed: No such snapshot: foo.two\n',
    });
    expect(await run('delete foo.one')).toMatchObject({ code: 1 });
    expect(await run('delete --purge foo.one')).toMatchObject({ code: 0 });

    expect(await run('start foo')).toMatchObject({ code: 0 });
    expect(await run('suspend foo')).toMatchObject({ code: 0 });
    const stopped = await run('stop foo');
    if (since(version, '1.14.1')) {
      expect(stopped).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('Cannot shut down suspended instance foo.\nUse --force'),
      });
      expect(await run('stop --force foo')).toMatchObject({ code: 0 });
      expect(await bench.instances()).toEqual({ foo: 'Stopped' });
    } else {
      expect(stopped).toMatchObject({ code: 0 });
      expect(await bench.instances()).toEqual({ foo: 'Suspended' });
      expect(await run('stop --force foo')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Unknown option '--force'"),
      });
    }

    expect(await run('delete foo')).toMatchObject({ code: 0 });
    expect(await bench.instances()).toEqual({ foo: 'Deleted' });
    expect(await run('stop foo')).toMatchObject({
      stderr: `stop failed: ${several('instance "foo" is deleted')}\n`,
    });
    expect(await run('launch --name foo')).toMatchObject({ code: 2 });
    expect(await run('recover foo')).toMatchObject({ code: 0 });
    expect(await bench.instances()).toEqual({ foo: 'Stopped' });
    expect(await run('delete foo')).toMatchObject({ code: 0 });
    expect(await run('purge')).toMatchObject({ code: 0 });
    expect(await bench.instances()).toEqual({});
  });

  test('goes on with a launch whose client is gone, and prepares a name once', async () => {
    const broken = await bench.standIn.broken({ prepareMillis: 2_000 });
    const client = spawn(bench.standIn.program, ['launch', '--name', 'bar'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await expect
      .poll(() => bench.standIn.daemon.preparing.has('bar'), { timeout: 10_000 })
      .toBe(true);
    expect(await run('launch --name bar')).toMatchObject({
      ...{ code: 2, stderr: 'launch failed: instance "bar" is being prepared\n' },
    });
    expect(await run('info bar --format json')).toMatchObject({ code: 2 });
    expect(await run('set local.bar.cpus=0')).toMatchObject({
      stderr: expect.stringContaining('reason: instance is being prepared'),
    });
    const ended = Promise.all([once(client, 'exit'), text(client.stderr)]);
    client.kill('SIGKILL');
    await ended;
    await expect.poll(() => bench.instances(), { timeout: 20_000 }).toEqual({ bar: 'Running' });
    await broken[Symbol.asyncDispose]();
    expect(await run('delete --purge bar')).toMatchObject({ code: 0 });
  });

  test('gives up waiting with 5, and says so', async () => {
    const broken = await bench.standIn.broken({ prepareMillis: 1_000, timeoutSeconds: 0.2 });
    expect(await run('launch --name late --timeout 9')).toMatchObject({
      ...{ code: 5, stderr: 'Timed out waiting for instance launch.\n' },
    });
    await broken[Symbol.asyncDispose]();
    await expect.poll(() => bench.instances(), { timeout: 20_000 }).toEqual({ late: 'Running' });
    expect(await run('delete --purge late')).toMatchObject({ code: 0 });
  });
});
