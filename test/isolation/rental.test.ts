/** A VM with the Internet, rented from an agent that saw first what its guests reach. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { golemFor, json, type Golem } from '../golem.ts';
import { processesBelow } from '../leftovers.ts';
import { startStack, type Stack } from '../stack.ts';
import { INTERNET, Lab } from './lab.ts';

let lab: Lab;
beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test has to run as root');
  lab = await Lab.open();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

describe.each(['tap', 'pasta'] as const)('rented from an agent with %s', (network) => {
  let stack: Stack;
  let golem: Golem;
  beforeAll(async () => {
    const { client } = lab.network.on;
    // Short, as sockets are in it.
    const dir = join(lab.dir, network === 'tap' ? 't' : 'p');
    await mkdir(dir);
    await chmod(dir, 0o777);
    stack = await startStack({
      ...{ providers: 1, driver: 'qemu', dir, host: INTERNET },
      on: { discovery: client, provider: lab.provider(network) },
      providerFlags: [
        ...['--network', network, '--guest-dns', INTERNET],
        ...['--public-address', lab.network.routerAddress],
      ],
    });
    golem = golemFor(stack.env, join(lab.dir, `golem-${network}`), client);
  });
  afterAll(() => stack?.[Symbol.asyncDispose]());

  /** What comes back from a port that sends back what it gets. */
  const echo = async (address: string, port = 80) => {
    const command = `(echo here; sleep 1) | timeout 5 nc ${address} ${port}`;
    return (await golem('vm', 'ssh', 'web', '--', command)).stdout.trim();
  };

  test('is offered as isolated', async () => {
    const offers = await json<{ isolation: string }[]>(golem('vm', 'providers', '-o', 'json'));
    expect(offers.map(({ isolation }) => isolation)).toEqual(['full']);
  });

  test('reaches the Internet, and not its provider', async () => {
    const size = ['--cpu', '1', '--memory', '256M', '--storage', '2'];
    const { status, stderr } = await golem('vm', 'create', 'web', ...size);
    expect([status, stderr]).toEqual([0, stderr]);
    expect(await echo(INTERNET)).toBe('here');
    expect(await echo('internet.test')).toBe('here');
    for (const address of ['192.168.77.1', lab.network.routerAddress]) {
      expect(await echo(address)).toBe('');
    }
    expect(await echo('192.168.77.10', 8022)).toBe('');
  });

  test('is the same after its agent was killed, and leaves nothing behind', async () => {
    const [provider] = stack.providers;
    await provider?.end('SIGKILL');
    await provider?.restart();
    expect(await echo(INTERNET)).toBe('here');
    expect((await golem('vm', 'destroy', 'web', '--yes')).status).toBe(0);
    expect(lab.onProvider('ip', '-brief', 'link')).not.toContain('golem');
    expect(lab.onProvider('cat', '/proc/sys/net/ipv4/conf/e0/forwarding').trim()).toBe('0');
    const guests = join(provider?.dataDir ?? '', 'guests');
    expect(processesBelow(guests)).toEqual([]);
    expect(processesBelow(join(provider?.dataDir ?? '', 'network'))).toEqual([]);
  });
});
