/** The operator's commands against an agent that runs: two processes, one socket. */
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openOffer } from '@vm-on-golem/shared/offer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startAgent, type AgentProcess } from './agent.ts';
import { scratchFolder } from './provider.ts';

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
    await start(['price-cpu = 0.005', 'cpus = 4']);
    await settings(['price-cpu = 0.01', 'cpus = 8']);
    agent.child.kill('SIGHUP');
    const { offer } = await agent.wire.message('offer');
    expect(await openOffer(offer, agent.id)).toMatchObject({
      prices: { cpuHour: 10_000_000 },
      capacity: { cpus: 4 },
    });
    expect(json((await agent.command('status', '-o', 'json')).stdout)).toMatchObject({
      waiting: ['cpus'],
    });
    expect((await agent.command('status')).stdout).toContain(
      '! Changed, and counts from the next start on: cpus',
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
