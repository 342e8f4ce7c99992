/** The operator's commands against an agent that runs: two processes, one socket. */
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { paths, type VmsPage } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { openOffer } from '@vm-on-golem/shared/offer';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listenForOperator } from '../src/control/socket.ts';
import { environment, runCommand, spawnCommand, startAgent, type AgentProcess } from './agent.ts';
import { createBody, scratchFolder } from './provider.ts';

/** Every command is a process: on a busy machine a dozen of them take a while. */
vi.setConfig({ testTimeout: 60_000 });

let cleanup: AsyncDisposableStack;
let agent: AgentProcess;
let dir: string;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

const settings = (lines: readonly string[]) =>
  writeFile(join(dir, 'config.toml'), `${lines.join('\n')}\n`);
const start = async (lines: readonly string[] = []) => {
  await settings(lines);
  agent = cleanup.use(await startAgent(dir));
};
const run = (...words: string[]) => runCommand(words, environment(dir));
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

describe('a running agent', () => {
  test('says how it is, and ends when it is told to', async () => {
    await start(['name = "attic"', 'cpus = 4', 'memory = "4G"', 'storage = 40', 'max-vms = 3']);
    const text = await agent.command('status');
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toContain(`attic (${agent.id})`);
    expect(text.stdout).toMatch(/^Link +connected to http/m);
    expect(text.stdout).toMatch(/^Memory +0 GiB of 4 GiB$/m);
    const status = json((await agent.command('status', '-o', 'json')).stdout);
    expect(status).toMatchObject({
      pid: agent.child.pid,
      provider: agent.id,
      link: { phase: 'connected' },
      available: { cpus: 4, memoryMiB: 4096, storageGiB: 40, vms: 3 },
      supervisor: null,
      waiting: [],
    });
    expect((await stat(join(dir, 'data', 'control.sock'))).mode & 0o777).toBe(0o600);

    const ended = once(agent.child, 'exit');
    const stopped = await agent.command('stop');
    expect(stopped).toMatchObject({ code: 0, stderr: '' });
    expect(agent.child.exitCode).toBe(0);
    await ended;
    expect(await readdir(join(dir, 'data'))).not.toContain('control.sock');
    for (const name of ['status', 'stop']) {
      const answer = await agent.command(name);
      expect(answer).toMatchObject({ code: 7, stdout: '' });
      expect(answer.stderr).toContain('No golem-provider runs with');
    }
  });

  test('takes over what may change, and names what has to wait', async () => {
    await start(['price-cpu = 0.005', 'cpus = 4', 'relay-grace = 60']);
    await settings(['price-cpu = 0.01', 'cpus = 8', 'relay-grace = 90']);
    agent.child.kill('SIGHUP');
    const { offer } = await agent.wire.message('offer');
    expect(await openOffer(offer, agent.id)).toMatchObject({
      prices: { cpuHour: 10_000_000 },
      capacity: { cpus: 8 },
    });
    expect(json((await agent.command('status', '-o', 'json')).stdout)).toMatchObject({
      waiting: ['relay-grace'],
    });
    expect((await agent.command('status')).stdout).toContain(
      '! Changed, and counts from the next start on: relay-grace',
    );
  });

  test('keeps what it has when the new configuration is wrong', async () => {
    await start(['price-cpu = 0.005']);
    await settings(['price-cpu = "cheap"']);
    agent.child.kill('SIGHUP');
    await agent.logged('config.toml:1: price-cpu must be dollars');
    await settings(['price-cpu = 0.02']);
    agent.child.kill('SIGHUP');
    const { offer } = await agent.wire.message('offer');
    expect((await openOffer(offer, agent.id)).prices.cpuHour).toBe(20_000_000);
  });

  test('is reached while its file is wrong, which is said in one line', async () => {
    await start();
    await settings([`data-dir = "${dir}/data"`, 'memroy = 4']);
    const { GOLEM_PROVIDER_DATA_DIR: _, ...env } = agent.env;
    const status = await runCommand(['status'], env);
    expect(status.code).toBe(0);
    expect(status.stdout).toContain(agent.id);
    expect(status.stderr).toMatch(/^golem-provider: \S+:2: there is no setting 'memroy'\..*\n$/);
    await settings([`data-dir = "${dir}/data"`, 'cpus = = 4']);
    expect((await runCommand(['vms'], env)).code).toBe(0);
    // Whoever names the folder needs no file.
    expect(await agent.command('pause')).toMatchObject({ code: 0, stderr: '' });
    await settings(['data-dir = = 4']);
    expect(await runCommand(['status'], env)).toMatchObject({ code: 2, stdout: '' });
    await settings(['cpus = "many', `"data-dir" = 'data' # here`]);
    expect((await runCommand(['logs'], env)).stderr).toContain('config.toml:1:');
    expect((await runCommand(['stop'], env)).code).toBe(0);
    expect(agent.child.exitCode).toBe(0);
  });

  test('replaces the socket of one that was killed', async () => {
    await start();
    const killed = once(agent.child, 'exit');
    agent.child.kill('SIGKILL');
    await killed;
    expect(await readdir(join(dir, 'data'))).toContain('control.sock');
    expect((await agent.command('status')).code).toBe(7);
    agent = cleanup.use(await startAgent(dir));
    expect((await agent.command('status')).code).toBe(0);
  });
});

describe('what an operator decides', () => {
  const offer = async () => openOffer((await agent.wire.message('offer')).offer, agent.id);

  test('to take no new VMs for a while', async () => {
    await start();
    const paused = await agent.command('pause');
    expect(paused).toMatchObject({ code: 0, stderr: '' });
    expect(paused.stdout).toBe('No new VMs are taken. Those that are here run on.\n');
    expect((await offer()).accepting).toBe(false);
    const renter = await generateIdentity('requestor');
    expect(await agent.ask(renter, 'POST', paths.vms(agent.id), createBody('web'))).toMatchObject({
      error: { code: 'draining' },
    });
    expect((await agent.command('resume')).stdout).toBe('New VMs are welcome.\n');
    expect((await offer()).accepting).toBe(true);
  });

  test('to drain by a time, which owners are told of with the reason', async () => {
    await start();
    const renter = await generateIdentity('requestor');
    await agent.rent(renter, 'web');
    const before = Date.now();
    const drained = await agent.command(
      'drain',
      '--by',
      '2h',
      '--reason',
      'new disks',
      '-o',
      'json',
    );
    expect(drained.code).toBe(0);
    const { by, ...mode } = json(drained.stdout) as { by: string };
    expect(mode).toEqual({ kind: 'draining', reason: 'new disks' });
    expect(Date.parse(by) - before).toBeGreaterThanOrEqual(2 * 3_600_000);
    const { vms } = (await agent.ask(renter, 'GET', paths.vms(agent.id))) as VmsPage;
    expect(vms[0]?.notice).toEqual({ kind: 'drain', at: by, reason: 'new disks' });
    const status = (await agent.command('status')).stdout;
    expect(status).toContain('No new VMs are taken. Those that are here are stopped at');
    expect(status).toContain('Reason given: new disks');
    expect(await agent.command('pause')).toMatchObject({ code: 5, stdout: '' });
    expect((await agent.command('resume')).code).toBe(0);
  });

  test('to put an end to a VM, for a reason that its owner reads', async () => {
    await start();
    const renter = await generateIdentity('requestor');
    const vm = await agent.rent(renter, 'web');
    const list = json((await agent.command('vms', '-o', 'json')).stdout);
    expect(list).toMatchObject({ vms: [{ id: vm, owner: renter.id, state: 'running' }] });
    expect((await agent.command('vms')).stdout).toMatch(new RegExp(`^web .*${renter.id}`, 'm'));

    expect(await agent.command('evict', vm)).toMatchObject({ code: 2, stdout: '' });
    const unsure = await agent.command('evict', vm, '--reason', 'sends spam');
    expect(unsure).toMatchObject({ code: 2, stdout: '' });
    expect(unsure.stderr).toContain('--yes');
    expect(await agent.command('evict', 'webb', '--reason', 'x', '--yes')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('golem-provider vms') as string,
    });
    const evicted = await agent.command('evict', 'web', '--reason', 'sends spam', '--yes');
    expect(evicted).toMatchObject({ code: 0, stderr: '' });
    await expect
      .poll(async () => json((await agent.command('vms', '-o', 'json')).stdout))
      .toEqual({ vms: [] });
    expect(await agent.ask(renter, 'GET', paths.vm(agent.id, vm))).toMatchObject({
      error: { message: expect.stringContaining('sends spam') as string },
    });
    // What it has earned stays in the books.
    const byVm = json((await agent.command('earnings', '--by', 'vm', '-o', 'json')).stdout);
    expect(byVm).toMatchObject({ rows: [{ key: vm, vm: { name: 'web', owner: renter.id } }] });
    const earned = await agent.command('earnings', '--by', 'day');
    expect(earned.stdout).toMatch(/^DAY \(UTC\) .*\n\d{4}-\d\d-\d\d .*\n\n\$\S+ in all\n$/);
    const wrongDay = await agent.command('earnings', '--from', '2026-02-31');
    expect(wrongDay).toMatchObject({ code: 2, stdout: '' });
  });

  test('what is done with guests that belong to nobody', async () => {
    await start();
    const renter = await generateIdentity('requestor');
    const vm = await agent.rent(renter, 'web');
    await agent.command('stop');
    for (const name of await readdir(join(dir, 'data'))) {
      if (name.startsWith('provider.db')) await rm(join(dir, 'data', name));
    }
    agent = cleanup.use(await startAgent(dir));
    const found = json((await agent.command('orphans', '-o', 'json')).stdout);
    expect(found).toMatchObject({ orphans: [{ vmId: vm, state: 'running', removedAt: null }] });
    expect((await agent.command('orphans')).stdout).toContain('never by itself');
    expect((await agent.command('status')).stdout).toContain('1 guest belongs to no VM');
    expect((await agent.command('orphans', 'remove', vm)).code).toBe(2);
    const removed = await agent.command('orphans', 'remove', vm, '--yes', '-o', 'json');
    expect(json(removed.stdout)).toEqual({ removed: vm, orphans: [] });
    expect((await agent.command('orphans', 'remove', vm, '--yes')).code).toBe(3);
  });

  test('new prices, which are in the next offer', async () => {
    await start(['# mine', 'price-cpu = 0.005 # cheap']);
    const set = await agent.command('pricing', 'set', '--cpu', '0.01', '-o', 'json');
    expect(set).toMatchObject({ code: 0, stderr: '' });
    expect(json(set.stdout)).toMatchObject({
      settings: [{ name: 'price-cpu', value: '0.01', effect: 'now' }],
      prices: { cpuHour: 10_000_000 },
      bills: [{ size: 'small', hour: 13_000_000, month: 9_490_000_000 }, {}, {}, {}],
    });
    expect((await offer()).prices.cpuHour).toBe(10_000_000);
    expect(await readFile(join(dir, 'config.toml'), 'utf8')).toBe(
      '# mine\nprice-cpu = 0.01 # cheap\n',
    );
    expect((await agent.command('pricing', 'show')).stdout).toContain('CPU $0.01,');
    const later = await agent.command('config', 'set', 'relay-grace', '3');
    expect(later.stdout).toContain('relay-grace = 3: from the next start of the agent on');
    const explained = await agent.command('config', 'explain', 'relay-grace');
    expect(explained.stdout).toContain('waits for the next start');
    const unset = json((await agent.command('config', 'unset', 'price-cpu', '-o', 'json')).stdout);
    expect(unset).toMatchObject({
      settings: [{ name: 'price-cpu', value: null, effect: 'now' }],
    });
    expect((await offer()).prices.cpuHour).toBe(5_000_000);
    const long = await agent.command('config', 'set', 'lease', '60d');
    expect(long).toMatchObject({ code: 2, stdout: '' });
    expect(long.stderr).toContain('above the lease-max of 30d (default)');
    // Its commands would look for it in vain.
    const moved = await agent.command('config', 'set', 'data-dir', join(dir, 'elsewhere'));
    expect(moved).toMatchObject({ code: 5, stdout: '' });
    expect(moved.stderr).toContain('golem-provider stop');
    expect(await readFile(join(dir, 'config.toml'), 'utf8')).toBe('# mine\nrelay-grace = 3\n');
  });
});

describe('the configuration', () => {
  test('is written by init, which never replaces one unless told to', async () => {
    const words = ['init', '--discovery', 'https://discovery.example', '--name', 'attic'];
    const written = await run(...words, '--image-dir', 'a', '--image-dir', '/b');
    expect(written).toMatchObject({ code: 0, stderr: '' });
    expect(written.stdout).toContain('golem-provider start');
    const file = join(dir, 'config.toml');
    const content = await readFile(file, 'utf8');
    expect(content).toContain('\nname = "attic"\n');
    expect(content).toContain(`\nimage-dir = ["${process.cwd()}/a", "/b"]\n`);
    const settings = json((await run('config', 'show', '-o', 'json')).stdout);
    expect(settings).toMatchObject({ file, isRunning: false });

    const again = await run(...words, '--name', 'cellar');
    expect(again).toMatchObject({ code: 5, stdout: '' });
    expect(again.stderr).toContain('--force');
    expect(await readFile(file, 'utf8')).toBe(content);
    expect((await run(...words, '--name', 'cellar', '--force')).code).toBe(0);
    expect(await readFile(file, 'utf8')).toContain('\nname = "cellar"\n');
    expect(await readdir(dir)).toEqual(['config.toml']);
  });

  test('is not written by init without what nobody can guess, or with what is wrong', async () => {
    expect((await run('init')).stderr).toContain('--discovery');
    expect((await run('init', '--discovery', 'x')).code).toBe(2);
    expect(await readdir(dir)).toEqual([]);
  });

  test('is changed by config set, whole or not at all', async () => {
    const early = await run('pricing', 'set', '--cpu', '0.01');
    expect(early).toMatchObject({ code: 2, stdout: '' });
    expect(early.stderr).toContain('golem-provider init');
    expect(await readdir(dir)).toEqual([]);
    await settings(['']);
    const first = await run('config', 'set', 'cpus', '50%');
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('\nNo agent runs.\n');
    const typo = await run('config', 'set', 'cpsu', '1');
    expect(typo).toMatchObject({ code: 2, stdout: '' });
    expect(typo.stderr).toContain('Did you mean cpus?');
    const wrong = await run('config', 'set', 'cpus', 'many', '-o', 'json');
    expect(json(wrong.stderr)).toMatchObject({ error: { code: 'usage' } });
    expect(await readFile(join(dir, 'config.toml'), 'utf8')).toBe('\ncpus = "50%"\n');
    const env = { ...environment(dir), GOLEM_PROVIDER_CPUS: '3' };
    const overridden = await runCommand(['config', 'set', 'cpus', '4'], env);
    expect(overridden.stdout).toContain('without effect, as GOLEM_PROVIDER_CPUS says otherwise');
    expect((await runCommand(['config', 'explain', 'cpus'], env)).stdout).toContain(
      `is 3, from GOLEM_PROVIDER_CPUS\noverrides 4 from ${join(dir, 'config.toml')}:2\n`,
    );
    const unset = await runCommand(['config', 'unset', 'cpus'], env);
    expect(unset.stdout).toContain('cpus is not set: without effect, as GOLEM_PROVIDER_CPUS says');
    expect((await run('config', 'show')).stdout).toMatch(
      /^#guest-dns = # 1\.1\.1\.1 and 9\.9\.9\.9\n(.*\n)*#cpus = # all but the reserve$/m,
    );
    expect((await run('config', 'unset', 'discovery')).code).toBe(2);
    const long = await run('config', 'set', 'lease', '60d');
    expect(long).toMatchObject({ code: 2, stdout: '' });
    expect(long.stderr).toContain('above the lease-max of 30d (default)');
    expect((await run('config', 'set', 'lease-max', '60d')).code).toBe(0);
    expect((await run('config', 'set', 'lease', '60d')).code).toBe(0);
    expect((await run('config', 'unset', 'cpus')).code).toBe(3);
  });

  test('stays as it was when the running agent knows that it cannot be', async () => {
    await settings(['# mine', 'cpus = 1']);
    await mkdir(join(dir, 'data'));
    const error = new GolemError('usage', 'This machine cannot share 99 CPUs: it has 2.');
    const agent = await listenForOperator(join(dir, 'data'), (_request, response) =>
      response.writeHead(400).end(JSON.stringify(error.toBody())),
    );
    cleanup.use(agent);
    const refused = await run('config', 'set', 'cpus', '99');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('This machine cannot share 99 CPUs');
    expect(await readFile(join(dir, 'config.toml'), 'utf8')).toBe('# mine\ncpus = 1\n');
  });

  test('that cannot be read is said so, with the line', async () => {
    await settings(['cpus = 1', 'memroy = 4']);
    const refused = await run('start');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain(`config.toml:2: there is no setting 'memroy'`);
    expect(refused.stderr).toContain('Did you mean memory?');
  });
});

describe('help', () => {
  test('begins with examples, for the program, a group and a command', async () => {
    const [all, group, bare, one, topic] = await Promise.all([
      run('--help'),
      run('config', '--help'),
      run('config'),
      run('drain', '--help'),
      run('help', 'pricing', 'set'),
    ]);
    expect(all?.stdout).toMatch(/^golem-provider: .*\n\n  \$ golem-provider init\n/);
    expect(group?.stdout).toMatch(
      /^golem-provider config: the settings.*\n\n  \$ golem-provider config show\n/,
    );
    expect(group?.stdout).toContain('$ golem-provider config set cpus 50%\n');
    expect(group?.code).toBe(0);
    expect(bare).toEqual({ ...group, code: 2 });
    expect(one?.stdout).toMatch(/^golem-provider drain: .*\n\n  \$ golem-provider drain --by/);
    expect(topic?.stdout).toContain('--storage USD');
  });

  test.each([
    [['config', 'shwo'], 'Did you mean config show?'],
    [['orphan'], 'Did you mean orphans?'],
    [['confg', 'show'], 'Did you mean config?'],
    [['frobnicate'], 'golem-provider --help lists them all'],
    [['config', 'frobnicate'], 'golem-provider config --help lists'],
    [['config', 'set', 'frobnicate', '1'], 'golem-provider config explain lists them all'],
    [['drain', '--frobnicate'], 'golem-provider drain --help tells more'],
    [['evict'], 'VM is missing'],
    [['drain'], '--by'],
    [['drain', '--by', 'later'], '2026-11-25T18:00'],
    [['pricing', 'set'], '--cpu'],
    [['stop', '--timeout', '0'], '--timeout'],
  ])('%j is refused with %s', async (words, said) => {
    expect(await run(...words)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(said) as string,
    });
  });
});

describe('logs', () => {
  test('are shown for people and for programs, and followed until Ctrl-C', async () => {
    const file = join(dir, 'agent.log');
    await start([`log-file = "${file}"`]);
    const shown = await agent.command('logs');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toMatch(/^\S+ INFO {2}starting provider=gp_/m);
    const raw = (await agent.command('logs', '-n', '1', '-o', 'json')).stdout;
    expect(json(raw)).toMatchObject({ level: 'info' });

    const follower = cleanup.use(spawnCommand(['logs', '-f', '-n', '0', '-o', 'json'], agent.env));
    const lines = createInterface({ input: follower.child.stdout })[Symbol.asyncIterator]();
    const heard = lines.next();
    // Whether it listens already nobody can tell, so that something new is said until it is heard.
    for (let price = 1; ; price += 1) {
      await agent.command('config', 'set', 'price-cpu', `0.00${price}`);
      if (await Promise.race([heard.then(() => true), setImmediate(false)])) break;
    }
    expect(json(String((await heard).value))).toMatchObject({ changed: ['price-cpu'] });
    follower.child.kill('SIGINT');
    expect(await once(follower.child, 'exit')).toEqual([0, null]);
  });

  test('that go nowhere are said to', async () => {
    await settings(['log-file = "-"']);
    const none = await run('logs');
    expect(none).toMatchObject({ code: 3, stdout: '' });
    expect(none.stderr).toContain('journalctl');
    expect((await run('logs', '-n', 'x')).code).toBe(2);
  });
});

describe('a service', () => {
  test('is printed, and not installed, where there is nobody to run it', async () => {
    await settings(['discovery = "https://discovery.example"']);
    const shown = await run('service', 'install', '--dry-run');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toMatch(/^# \S+golem-provider\.service\n\[Unit\]\n/);
    const file = join(dir, 'config.toml');
    const folder = join(dir, '.local', 'share', 'golem-provider');
    expect(shown.stdout).toContain(
      `golem-provider.js start --config ${file} --data-dir ${folder}\n`,
    );
    const named = await run('service', 'install', '--dry-run', '--data-dir', '/srv/golem');
    expect(named.stdout).toContain(` --config ${file} --data-dir /srv/golem\n`);
    await settings(['discovery = "https://discovery.example"', 'data-dir = "here"']);
    const said = await run('service', 'install', '--dry-run');
    expect(said.stdout).toContain(`golem-provider.js start --config ${file}\n`);
    expect(await run('service', 'status')).toMatchObject({ code: 7 });
  });

  test('needs a configuration that is right', async () => {
    const none = await run('service', 'install', '--dry-run');
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toBe(
      `golem-provider: A service needs a configuration, and there is no ${join(dir, 'config.toml')}.\n` +
        'golem-provider init writes one; name it with --config.\n',
    );
    await settings(['cpus = 1']);
    const refused = await run('service', 'install', '--dry-run');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('There is no discovery');
  });
});
