import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newVmId } from '@vm-on-golem/shared/ids';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chooseCgroups } from './cgroups.ts';
import { asUser, inCgroups, withoutNewPrivileges } from './command.ts';
import { planLimits, settingsV1, settingsV2 } from './limits.ts';
import { ownGroup, parseMounts } from './mounts.ts';
import { chooseUser, deviceGroups, parseUidRanges } from './user.ts';

const run = promisify(execFile);
const asRoot = process.getuid?.() === 0;
const size = { cpus: 2, memoryMiB: 1024, storageGiB: 10 };

describe('whom a guest runs as', () => {
  const everybody = parseUidRanges('         0          0 4294967295\n');
  const host = { agentUid: 0, passwd: 'root:x:0:0::/root:/bin/sh\n', uids: everybody };

  test('is the agent, unless that is root', () => {
    expect(chooseUser(newVmId(), { ...host, agentUid: 1000 })).toBeUndefined();
  });

  test('is never root, and the same for one guest however often it is asked', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        const user = chooseUser(id, host);
        expect(user?.uid).toBeGreaterThanOrEqual(0x7000_0000);
        expect(user?.uid).toBeLessThan(0x7100_0000);
        expect(chooseUser(id, host)).toEqual(user);
      }),
    );
    const many = new Set(Array.from({ length: 50 }, () => chooseUser(newVmId(), host)?.uid));
    expect(many.size).toBeGreaterThan(48);
  });

  test('is the account that the operator has made for guests', () => {
    const passwd = `${host.passwd}golem-guest:x:998:997::/nonexistent:/usr/sbin/nologin\n`;
    expect(chooseUser(newVmId(), { ...host, passwd })).toEqual({ uid: 998, gid: 997 });
    const root = `${host.passwd}golem-guest:x:0:0::/:/bin/sh\n`;
    expect(chooseUser(newVmId(), { ...host, passwd: root })?.uid).toBeGreaterThan(0);
  });

  test('is nobody where a container has few users, and nobody at all where it has one', () => {
    const few = parseUidRanges('0 100000 65536\n');
    expect(chooseUser(newVmId(), { ...host, uids: few })).toEqual({ uid: 65_534, gid: 65_534 });
    const one = parseUidRanges('0 1000 1\n');
    expect(() => chooseUser(newVmId(), { ...host, uids: one })).toThrow('no user but root');
    expect(parseUidRanges('')).toEqual([{ first: 0, count: 2 ** 32 - 1 }]);
  });

  test('opens a device by its group, where that is how it is opened', () => {
    expect(deviceGroups({ mode: 0o20_660, gid: 108 })).toEqual([108]);
    expect(deviceGroups({ mode: 0o20_666, gid: 108 })).toEqual([]);
    expect(deviceGroups({ mode: 0o20_600, gid: 0 })).toBeUndefined();
    expect(deviceGroups({ mode: 0o20_660, gid: 0 })).toBeUndefined();
  });
});

describe('a command that is confined', () => {
  const status = ['sh', '-c', 'grep -E "^(Uid|Groups|NoNewPrivs|Cap)" /proc/self/status'];
  const ran = async ([program = '', ...args]: string[]) => (await run(program, args)).stdout;

  test('gets no rights by running a program that has some', async () => {
    expect(await ran(withoutNewPrivileges(status))).toMatch(/^NoNewPrivs:\t1$/m);
  });

  test.runIf(asRoot)('is somebody else, in no other group, without any capability', async () => {
    const text = await ran(asUser({ uid: 12_345, gid: 12_345 }, [108], status));
    expect(text).toMatch(/^Uid:\t12345\t12345\t12345\t12345$/m);
    expect(text).toMatch(/^Groups:\t108 *$/m);
    expect(text).toMatch(/^NoNewPrivs:\t1$/m);
    const sets = [...text.matchAll(/^Cap\w+:\t(\w+)$/gm)].map((match) => match[1]);
    expect(sets).toEqual(Array.from({ length: 5 }, () => '0000000000000000'));
  });

  test('joins its groups before it is run, and is not run when it cannot', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'golem-'));
    try {
      const groups = [join(dir, 'a group'), join(dir, "b'; exit 7; '")];
      for (const group of groups) await mkdir(group);
      expect(await ran(inCgroups(groups, ['echo', '$HOME', '--', "it's"]))).toBe("$HOME -- it's\n");
      for (const group of groups) {
        expect(await readFile(join(group, 'cgroup.procs'), 'utf8')).toBe('0\n');
      }
      const missing = inCgroups([join(dir, 'missing')], ['echo', 'ran']);
      await expect(ran(missing)).rejects.toMatchObject({ code: 1, stdout: '' });
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('control groups', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'golem-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('bound processors, memory and tasks, with room for QEMU itself', () => {
    const limits = planLimits(size);
    expect(settingsV2(limits)).toEqual([
      ['cpu.max', '225000 100000'],
      ['memory.max', String(1280 * 1024 * 1024)],
      ['pids.max', '130'],
    ]);
    expect(settingsV1('cpu', limits)).toEqual([
      ['cpu.cfs_period_us', '100000'],
      ['cpu.cfs_quota_us', '225000'],
    ]);
    expect(settingsV1('memory', limits)).toEqual([
      ['memory.limit_in_bytes', String(1280 * 1024 * 1024)],
    ]);
    expect(settingsV1('pids', limits)).toEqual([['pids.max', '130']]);
  });

  test('are found among the mounts, whatever else is mounted', () => {
    const text = [
      '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
      '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct',
      '40 31 0:37 / /sys/fs/a\\040b rw,relatime - cgroup2 cgroup2 rw',
      '',
    ].join('\n');
    expect(parseMounts(text)).toEqual([
      { path: '/sys/fs/cgroup/cpu,cpuacct', version: 1, controllers: ['rw', 'cpu', 'cpuacct'] },
      { path: '/sys/fs/a b', version: 2, controllers: [] },
    ]);
    expect(ownGroup('9:name=systemd:/\n0::/user.slice/golem.service\n')).toBe(
      '/user.slice/golem.service',
    );
    expect(ownGroup('4:memory:/x\n')).toBeUndefined();
  });

  test('of version 2 are beside our own, and are removed with their guests', async () => {
    await mkdir(join(dir, 'app.slice', 'golem.service'), { recursive: true });
    const mounts = [{ path: dir, version: 2 as const, controllers: [] }];
    const own = '/app.slice/golem.service';
    const groups = await chooseCgroups(mounts, { name: 'golem-1', own, asRoot: false });
    expect(groups.version).toBe('v2');
    const [group = ''] = await groups.open('vm_one', planLimits(size));
    expect(group).toBe(join(dir, 'app.slice', 'golem-1', 'vm_one'));
    expect(await readFile(join(group, 'cpu.max'), 'utf8')).toBe('225000 100000');
    expect(await readFile(join(group, '../cgroup.subtree_control'), 'utf8')).toBe(
      '+cpu +memory +pids',
    );
    // The files of a real one go with it.
    for (const file of await readdir(group)) await rm(join(group, file));
    await mkdir(join(group, '../vm_two'));
    await groups.sweep(new Set(['vm_one']));
    expect(await readdir(join(group, '..'))).not.toContain('vm_two');
    await groups.close('vm_one');
    await groups.close('vm_one');
    expect(await readdir(join(group, '..'))).toEqual(['cgroup.subtree_control']);
  });

  test('of version 1 are all there, or none is used', async () => {
    const mount = (controller: string) => ({
      ...{ path: join(dir, controller), version: 1 as const },
      controllers: ['rw', controller],
    });
    for (const name of ['cpu', 'memory', 'pids']) await mkdir(join(dir, name));
    const options = { name: 'golem-1', own: undefined, asRoot: true };
    const groups = await chooseCgroups(['cpu', 'memory', 'pids'].map(mount), options);
    expect(groups.version).toBe('v1');
    expect(await groups.open('vm_one', planLimits(size))).toEqual(
      ['cpu', 'memory', 'pids'].map((name) => join(dir, name, 'golem-1', 'vm_one')),
    );
    const fewer = await chooseCgroups(['cpu', 'memory'].map(mount), options);
    expect(fewer.version).toBe('none');
    expect(await fewer.open('vm_one', planLimits(size))).toEqual([]);
  });

  test('that cannot be written to are done without', async () => {
    await writeFile(join(dir, 'file'), '');
    const mounts = [{ path: join(dir, 'missing'), version: 2 as const, controllers: [] }];
    const groups = await chooseCgroups(mounts, { name: 'golem-1', own: '/', asRoot: true });
    expect(groups.version).toBe('none');
  });
});
