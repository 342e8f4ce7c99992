/** What kills other tunnels, in the middle of a transfer of 64 MiB there and back at once. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RELAY_MODES } from '../../discovery-worker/src/objects/relay/modes.ts';
import { echo, MIB, startFaultyNetwork, type Echo, type FaultyNetwork } from './transfer.ts';

const BYTES = 64 * MIB;
const KILLS = 50;

let network: FaultyNetwork;

/** Waits until a part of what was sent is back. */
async function arrived(transfer: Echo, share: number): Promise<void> {
  await vi.waitUntil(() => transfer.arrived() >= share * BYTES, { timeout: 100_000, interval: 5 });
}

describe.each(RELAY_MODES)('over a relay in %s mode', (mode) => {
  beforeAll(async () => {
    network = await startFaultyNetwork(mode);
  });
  afterAll(() => network?.[Symbol.asyncDispose]());

  test(`${KILLS} connections are cut at random moments`, async () => {
    const { proxy } = network;
    // Slow enough that the cuts fall into the transfer.
    proxy.throttle(4 * MIB);
    const transfer = echo(network, BYTES);
    await arrived(transfer, 0.01);
    let kills = 0;
    for (; kills < KILLS; kills += 1) {
      await sleep(Math.random() * 300);
      await vi.waitUntil(() => proxy.open > 0, { timeout: 20_000, interval: 5 });
      proxy.killOne(Math.random());
    }
    expect(transfer.arrived()).toBeLessThan(BYTES);
    proxy.throttle(Number.POSITIVE_INFINITY);
    expect(await transfer.over).toEqual({ code: 0, isWhole: true });
    console.info(`${mode}: ${kills} cuts, ${BYTES / MIB} MiB each way whole`);
  });

  test('discovery is killed with -9 and started again', async () => {
    const transfer = echo(network, BYTES);
    await arrived(transfer, 0.2);
    await network.stack.endDiscovery('SIGKILL');
    await network.stack.restartDiscovery();
    expect(await transfer.over).toEqual({ code: 0, isWhole: true });
  });
});

describe('over a relay in coupled mode', () => {
  beforeAll(async () => {
    network = await startFaultyNetwork('coupled');
  });
  afterAll(() => network?.[Symbol.asyncDispose]());

  test('the agent is killed with -9: ssh is told, and does not wait for the grace', async () => {
    const [provider] = network.stack.providers;
    const child = network.ssh('cat');
    child.stdin?.write('x');
    await once(child.stdout ?? child, 'data');
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await provider?.end('SIGKILL');
    const closed = once(child, 'close');
    const since = performance.now();
    await provider?.restart();
    expect((await closed)[0]).toBe(255);
    expect(performance.now() - since).toBeLessThan(30_000);
    expect(said).toContain('the agent was restarted and has lost the session');
  });
});
