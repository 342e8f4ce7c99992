/** `golem-provider` as people start it: one process, its exit codes, its end by every signal. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { paths, type Accepted, type VmsPage } from '@vm-on-golem/shared/api';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { openOffer } from '@vm-on-golem/shared/offer';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMemoryDriver } from '../src/drivers/memory/driver.ts';
import { runCommand, startAgent, type AgentProcess } from './agent.ts';
import { createBody, scratchFolder } from './provider.ts';

/** Every command is a process: on a busy machine a dozen of them take a while. */
vi.setConfig({ testTimeout: 60_000 });

let cleanup: AsyncDisposableStack;
let dir: string;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

const run = (words: readonly string[], more: Record<string, string> = {}) =>
  runCommand(words, { PATH: process.env['PATH'] ?? '', HOME: dir, ...more });

describe('the command line', () => {
  test('prints help and version, and an id that stays', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('start');
    const startHelp = await run(['start', '--help']);
    expect(startHelp.stdout).toContain('--allow-emulation');
    expect((await run(['version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const first = await run(['id', '--data-dir', dir]);
    const second = await run(['id', '-o', 'json'], { GOLEM_PROVIDER_DATA_DIR: dir });
    expect(first.stdout).toMatch(/^gp_[a-z2-7]{26}\n$/);
    expect(JSON.parse(second.stdout)).toMatchObject({ provider: first.stdout.trim() });
  });

  test.each([
    [['strat'], 'Did you mean start?'],
    [['start', '--discvery', 'x'], 'Did you mean --discovery?'],
    [['frobnicate'], '--help'],
    [['start', 'extra'], 'one argument too many'],
    [['start', '--discovery'], 'discovery'],
    [['start'], 'GOLEM_PROVIDER_DISCOVERY'],
    [['start', '--discovery', 'http://127.0.0.1:1', '--cpus', 'two'], '--cpus'],
    [['id', '--cpus', '2'], "no option '--cpus'"],
    [['version', '-o', 'xml'], 'json or text'],
  ])('refuses %j with exit code 2', async (args, hint) => {
    const refused = await run(args);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(hint);
    expect(refused.stdout).toBe('');
    expect(await readdir(dir)).toEqual([]);
  });
});

describe('a running agent', () => {
  let owner: Identity;

  beforeEach(async () => {
    owner = await generateIdentity('requestor');
    const log = `log-file = "${join(dir, 'log')}"`;
    await writeFile(join(dir, 'config.toml'), `cpus = 64\nmax-vms = 64\n${log}\n`);
  });

  const start = async () => cleanup.use(await startAgent(dir));
  const create = (agent: AgentProcess, name: string) =>
    agent.send(owner, 'POST', paths.vms(agent.id), createBody(name));
  const guests = () => createMemoryDriver({ stateDir: join(dir, 'data', 'guests') });

  test('is listed with what it has', async () => {
    const agent = await start();
    expect(await openOffer(agent.offer, agent.id)).toMatchObject({
      driver: 'memory',
      accepting: true,
      capacity: { cpus: 64, vms: 64 },
    });
  });

  test.each([
    ['SIGTERM', 0],
    ['SIGINT', 130],
  ] as const)('ends on %s with exit code %i, and leaves its guests alone', async (signal, code) => {
    const agent = await start();
    await agent.rent(owner, 'web');
    expect(await agent.end(signal)).toBe(code);
    await using driver = await guests();
    expect((await driver.list()).map(({ state }) => state)).toEqual(['running']);
  });

  test('refuses to share its folder with another', async () => {
    const agent = await start();
    const second = await agent.command('start', '--driver', 'memory', '--log-file', '-');
    expect(second.code).toBe(5);
    expect(second.stderr).toContain('Another golem-provider');
  });

  test('killed with -9 at any moment loses nothing and leaks nothing', async () => {
    let agent = await start();
    const survivor = await agent.rent(owner, 'survivor');
    const started = new Map<string, string>();

    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 6; n += 1) {
        await create(agent, `vm-${round}-${n}`);
      }
      // After so many answers: somewhere in the middle of what follows them.
      for (let n = 0; n <= round; n += 1) {
        const { status, body } = await agent.answer();
        if (status !== 202) continue;
        const { operation, vm } = JSON.parse(body) as Accepted;
        started.set(operation, vm.id);
      }
      await agent.end('SIGKILL');
      agent = await start();
    }

    const kept = new Set([survivor]);
    for (const [operation, vmId] of started) {
      const page = await agent.follow(owner, operation);
      if (page.state === 'succeeded') kept.add(vmId);
      else
        expect(page).toMatchObject({ state: 'failed', vm: null, error: { code: 'launch_failed' } });
    }
    const { vms } = (await agent.ask(owner, 'GET', `${paths.vms(agent.id)}?limit=100`)) as VmsPage;
    // What was accepted and not answered any more is there as well, and as it should be.
    const settled = vms.filter(({ state }) => state === 'running').map(({ id }) => id);
    expect(settled).toEqual(expect.arrayContaining([...kept]));
    expect(vms.filter(({ state }) => state !== 'running')).toEqual([]);
    await agent.end('SIGTERM');
    await using driver = await guests();
    expect((await driver.list()).map(({ vmId }) => vmId).sort()).toEqual(settled.sort());
  });

  test('writes no secret into its log', async () => {
    const agent = await start();
    await agent.rent(owner, 'web');
    await agent.end('SIGTERM');
    const log = await readFile(join(dir, 'log'), 'utf8');
    const { d } = JSON.parse(await readFile(join(dir, 'data', 'identity-key.json'), 'utf8')) as {
      d: string;
    };
    expect(log).toContain('starting');
    expect(log).not.toContain(d);
    expect(log).not.toContain('PRIVATE KEY');
    expect(log).not.toContain('signature');
  });
});
