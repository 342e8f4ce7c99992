/** Guests that do their worst, and what the host and the guest beside them notice of it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SshClient } from '../../src/drivers/conformance/openssh.ts';
import type { Driver, GuestSpec } from '../../src/drivers/driver.ts';
import { planLimits, settingsV2 } from '../../src/drivers/qemu/confinement/limits.ts';
import { createQemuDriver } from '../../src/drivers/qemu/driver.ts';
import { guestFolder } from '../../src/drivers/qemu/folder.ts';
import { qemuPid } from '../../src/drivers/qemu/process.ts';
import { Qmp } from '../../src/drivers/qemu/qmp.ts';
import { patience, tinyGuest } from './spec.ts';

const run = promisify(execFile);
const asRoot = process.getuid?.() === 0;
const GIB = 1024 ** 3;

let dir: string;
let ssh: SshClient;
let driver: Driver;
/** Where the guests are. */
let stateDir: string;

const open = async () => {
  driver = await createQemuDriver({
    stateDir,
    allowEmulation: true,
    templates: join(dir, 'templates'),
  });
};
const launch = async (): Promise<GuestSpec> => {
  const spec = await tinyGuest(join(dir, 'images'), ssh.publicKey);
  await driver.launch(spec, patience());
  return spec;
};
const says = async (spec: GuestSpec, command: string): Promise<string> =>
  (await ssh.run(driver, spec, command)).stdout.toString().trim();
const pidOf = async ({ vmId }: GuestSpec) => (await qemuPid(guestFolder(stateDir, vmId))) ?? 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-'));
  ssh = await SshClient.create(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function tearDown(): Promise<void> {
  for (const { vmId } of await driver.list()) await driver.destroy(vmId);
  await driver[Symbol.asyncDispose]();
}

describe('a confined guest', { timeout: 180_000 }, () => {
  let victim: GuestSpec;
  let spec: GuestSpec;
  /** Folders of its control groups, by controller. */
  let groups: ReadonlyMap<string, string>;

  beforeAll(async () => {
    stateDir = join(dir, 'guests');
    await open();
    victim = await launch();
    spec = await launch();
    groups = await groupsOf(await pidOf(spec));
  }, 180_000);
  afterAll(tearDown);

  test('runs as nobody who may do anything', async () => {
    const status = await readFile(`/proc/${await pidOf(spec)}/status`, 'utf8');
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim();
    expect(field('NoNewPrivs')).toBe('1');
    expect(field('Seccomp')).toBe('2');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
      expect(field(set)).toBe('0000000000000000');
    }
    if (!asRoot) return;
    expect(field('CapBnd')).toBe('0000000000000000');
    // It is in none but its own.
    expect(field('Groups')).toBe('');
    const uid = Number(field('Uid')?.split('\t')[0]);
    expect(field('Uid')).toBe([uid, uid, uid, uid].join('\t'));
    expect(uid).toBeGreaterThan(0);
    const other = await readFile(`/proc/${await pidOf(victim)}/status`, 'utf8');
    expect(other).not.toMatch(new RegExp(`^Uid:\\s+${uid}\\s`, 'm'));
  });

  test.runIf(asRoot)('can reach its own files alone, and make none', async () => {
    const folder = guestFolder(stateDir, spec.vmId);
    const { uid, gid } = await stat(folder.disk);
    const tries = async (script: string, cwd: string) =>
      run(
        'setpriv',
        ['--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', 'sh', '-c', script],
        {
          cwd,
        },
      ).then(
        () => 'done',
        () => 'refused',
      );
    expect(await tries('cat ../seed.iso >/dev/null', folder.run)).toBe('done');
    expect(await tries('touch mine', folder.run)).toBe('refused');
    const other = guestFolder(stateDir, victim.vmId).qmp;
    expect(await tries(`ln -sf ${other} qmp.sock`, folder.run)).toBe('refused');
    expect(await tries('cat ../guest.json', folder.run)).toBe('refused');
    expect(await tries('ls ..', folder.run)).toBe('refused');
    expect(await tries('ln -s /etc/passwd ../console.log.previous', folder.run)).toBe('refused');
    expect(await tries(`ls ${stateDir}`, '/')).toBe('refused');
    expect(await tries('cat ../disk.qcow2', guestFolder(stateDir, victim.vmId).run)).toBe(
      'refused',
    );
    for (const file of [folder.disk, folder.seed, folder.console]) {
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    }
  });

  test('is in groups of its own, which bound it', async ({ skip }) => {
    const { confinement } = await driver.facts();
    skip(confinement?.cgroups !== 'v1', 'no control groups of version 1 that we may write to');
    const read = async (controller: string, file: string) =>
      (await readFile(join(groups.get(controller) ?? '', file), 'utf8')).trim();
    expect(await read('cpu', 'cpu.cfs_quota_us')).toBe('125000');
    expect(await read('memory', 'memory.limit_in_bytes')).toBe(String((128 + 256) * 1024 * 1024));
    expect(await read('pids', 'pids.max')).toBe('129');
    for (const controller of ['cpu', 'memory', 'pids']) {
      expect(groups.get(controller)).toContain(spec.vmId);
      expect((await read(controller, 'cgroup.procs')).split('\n')).toContain(
        String(await pidOf(spec)),
      );
    }
  });

  test('would be bound by version 2 as well, as a kernel that has it takes the values', async () => {
    const made = await says(
      spec,
      [
        'mkdir /run/groups && mount -t cgroup2 groups /run/groups && cd /run/groups',
        'echo "+cpu +memory +pids" >cgroup.subtree_control && mkdir guest && ls guest',
      ].join(' && '),
    );
    for (const [file, value] of settingsV2(
      planLimits({ cpus: 2, memoryMiB: 1024, storageGiB: 1 }),
    )) {
      expect(made.split('\n')).toContain(file);
      expect(
        await says(
          spec,
          `echo ${value} >/run/groups/guest/${file} && cat /run/groups/guest/${file}`,
        ),
      ).toBe(value);
    }
  });

  test('that is always busy leaves the others their time', async () => {
    await says(spec, 'for n in 1 2 3; do (while :; do :; done) </dev/null >/dev/null 2>&1 & done');
    expect(await says(victim, 'echo here')).toBe('here');
    expect(await says(spec, 'echo here as well')).toBe('here as well');
    await says(spec, 'killall sh; true');
    expect(await driver.list()).toEqual(
      expect.arrayContaining([
        { vmId: victim.vmId, state: 'running' },
        { vmId: spec.vmId, state: 'running' },
      ]),
    );
  });

  test('that fills its disk has a full disk, and no more of the host than it was given', async () => {
    const full = await ssh.run(
      driver,
      spec,
      'dd if=/dev/zero of=/full bs=1M; sync; rm /full; sync',
    );
    expect(full.stderr).toContain('No space left on device');
    const { diskBytes } = await driver.usage(spec.vmId);
    expect(diskBytes).toBeLessThan(1.05 * spec.storageGiB * GIB);
    expect(await says(spec, 'echo here')).toBe('here');
    expect(await says(victim, 'echo here')).toBe('here');
  });

  test('that forks without end is the only one who has no processes left', async () => {
    const bomb = 'b() { b | b & }; b';
    await says(spec, `sh -c '${bomb}' </dev/null >/dev/null 2>&1 & sleep 3`);
    expect(await says(victim, 'echo here')).toBe('here');
    const tasks = await readdir(`/proc/${await pidOf(spec)}/task`);
    expect(tasks.length).toBeLessThanOrEqual(129);
    await driver.stop(spec.vmId, { graceMs: 2_000, signal: AbortSignal.timeout(60_000) });
    expect(await driver.inspect(spec.vmId)).toEqual({ vmId: spec.vmId, state: 'stopped' });
    await driver.start(spec.vmId, patience());
    expect(await says(spec, 'echo here')).toBe('here');
  });

  test('leaves no group behind', async () => {
    await driver.destroy(spec.vmId);
    for (const path of groups.values()) {
      if (path.includes(spec.vmId)) await expect(stat(path)).rejects.toThrow('ENOENT');
    }
    expect(await says(victim, 'echo here')).toBe('here');
  });
});

describe.runIf(asRoot)('a guest on a disk of the host that is full', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    stateDir = join(dir, 'small', 'guests');
    await mkdir(join(dir, 'small'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'golem', join(dir, 'small')]);
    await open();
  });
  afterEach(async () => {
    await tearDown();
    await run('umount', [join(dir, 'small')]);
  });

  test('waits for room, also for the next agent, and loses nothing', async () => {
    const spec = await launch();
    const folder = guestFolder(stateDir, spec.vmId);
    const pid = await pidOf(spec);
    let done = false;
    const writes = 'dd if=/dev/urandom of=/big bs=1M count=80 && sync && sha256sum /big';
    const written = ssh.run(driver, spec, writes).finally(() => (done = true));
    const free = async () => {
      const { bavail, bsize } = await statfs(stateDir);
      return bavail * bsize;
    };
    await expect.poll(free, { timeout: 60_000 }).toBeLessThan(128 * 1024);

    await driver[Symbol.asyncDispose]();
    {
      using qmp = await Qmp.connect(folder.qmp);
      const status = () => qmp.execute('query-status');
      await expect.poll(status, { timeout: 30_000 }).toMatchObject({ status: 'io-error' });
    }
    await open();
    expect(await driver.inspect(spec.vmId)).toEqual({ vmId: spec.vmId, state: 'running' });
    expect(done).toBe(false);

    await run('mount', ['-o', 'remount,size=256m', join(dir, 'small')]);
    const { exitCode, stdout } = await written;
    expect(exitCode).toBe(0);
    expect(await pidOf(spec)).toBe(pid);
    expect(await says(spec, 'echo 3 >/proc/sys/vm/drop_caches; sha256sum /big')).toBe(
      stdout.toString().trim(),
    );
    expect(await says(spec, 'dmesg | grep -cE "EXT4-fs (error|warning)|I/O error" || true')).toBe(
      '0',
    );
  });
});

/** The control groups of a process that are of version 1, by controller. */
async function groupsOf(pid: number): Promise<Map<string, string>> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8');
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, controllers = '', path = ''] = line.split(':');
      return controllers
        .split(',')
        .filter((name) => /^\w+$/.test(name))
        .map((name): [string, string] => [name, join('/sys/fs/cgroup', controllers, path)]);
    }),
  );
}
