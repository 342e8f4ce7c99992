/** A provider behind a router that drops everything inbound, and a client on the other side. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { echo, MIB } from '../faults/transfer.ts';
import { golemFor, run, type Golem } from '../golem.ts';
import { startStack, type Stack } from '../stack.ts';
import { createNatNetwork, type NatNetwork } from './network.ts';

const launcher = join(import.meta.dirname, '../..', 'cli/bin/golem.js');
const isRoot = process.getuid?.() === 0;

// Network namespaces are root's to make; `.ci/run` is.
describe.runIf(isRoot).each(['port-preserving', 'symmetric'] as const)('%s NAT', (kind) => {
  let dir: string;
  let network: NatNetwork;
  let stack: Stack;
  let golem: Golem;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'n-'));
    network = createNatNetwork(kind);
    stack = await startStack({
      providers: 1,
      driver: 'qemu',
      dir: join(dir, 's'),
      host: network.publicAddress,
      on: { discovery: network.on.public, provider: network.on.provider },
    });
    golem = golemFor(stack.env, join(dir, 'golem'), network.on.client);
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    network?.[Symbol.dispose]();
    await rm(dir, { recursive: true, force: true });
  });

  test('the client reaches neither the provider nor a port of its router', async () => {
    const reach = (address: string, port: number) =>
      run(
        [
          ...[process.execPath, '-e'],
          `require('node:net').connect({ host: '${address}', port: ${port}, timeout: 1500 })
             .on('connect', () => process.exit(0)).on('error', () => process.exit(1))
             .on('timeout', () => process.exit(1))`,
        ],
        { env: {}, on: network.on.client },
      );
    expect((await reach(network.publicAddress, Number(new URL(stack.discovery).port))).status).toBe(
      0,
    );
    expect((await reach(network.providerAddress, 22)).status).toBe(1);
    expect((await reach(network.routerAddress, 22)).status).toBe(1);
  });

  test('a real VM is rented and entered across it', async () => {
    const spec = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
    const created = await golem('vm', 'create', 'far', ...spec);
    expect(created).toMatchObject({ status: 0 });
    const inside = await golem('vm', 'ssh', 'far', '--', 'hostname; exit 5');
    expect(inside).toMatchObject({ status: 5, stdout: 'far\n' });
    expect(network.counters().masqueraded).toBeGreaterThan(0);
  });

  test('64 MiB each way are whole though both the router and the provider get other addresses', async () => {
    const ssh = (...command: string[]) => {
      const [program, ...args] = network.on.client;
      const words = [...args, process.execPath, launcher, 'vm', 'ssh', 'far', '--', ...command];
      return spawn(program ?? '', words, {
        env: { ...process.env, ...stack.env, GOLEM_HOME: join(dir, 'golem') },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
    };
    const transfer = echo({ ssh }, 64 * MIB);
    await transfer.reached(10 * MIB);
    network.moveRouter();
    await transfer.reached(30 * MIB);
    network.moveProvider();
    expect(await transfer.back).toEqual(transfer.sent);
    await vi.waitUntil(async () => (await golem('vm', 'destroy', 'far', '--yes')).status === 0, {
      timeout: 60_000,
    });
  });
});
