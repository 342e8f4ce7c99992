/** What kills other tunnels, in the middle of a transfer of 64 MiB there and back at once. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RELAY_MODES } from '../../discovery-worker/src/objects/relay/modes.ts';
import {
  echo,
  expectWhole,
  MIB,
  startFaultyNetwork,
  type Echo,
  type FaultyNetwork,
} from './transfer.ts';

const BYTES = 64 * MIB;
const KILLS = 50;
const HOLE_MILLIS = 20_000;
const STOP_MILLIS = 30_000;

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
    await expectWhole(transfer.over);
    console.info(`${mode}: ${kills} cuts, ${BYTES / MIB} MiB each way whole`);
  });

  test('discovery is killed with -9 and started again', async () => {
    const transfer = echo(network, BYTES);
    await arrived(transfer, 0.2);
    await network.stack.endDiscovery('SIGKILL');
    await network.stack.restartDiscovery();
    await expectWhole(transfer.over);
  });

  test('everything falls into a black hole for 20 s while sockets stay open', async () => {
    const { proxy } = network;
    const transfer = echo(network, BYTES);
    await arrived(transfer, 0.2);
    proxy.blackHole();
    await sleep(HOLE_MILLIS);
    proxy.heal();
    await expectWhole(transfer.over);
  });
});

describe('over a relay in coupled mode', () => {
  beforeAll(async () => {
    network = await startFaultyNetwork('coupled');
  });
  afterAll(() => network?.[Symbol.asyncDispose]());

  test('what was held back for 20 s comes after all, when others have taken its place', async () => {
    const { proxy } = network;
    const transfer = echo(network, BYTES);
    await arrived(transfer, 0.2);
    proxy.blackHole();
    await sleep(HOLE_MILLIS);
    proxy.release();
    await expectWhole(transfer.over);
  });

  test("a NAT forgets all flows: old ones are dead without a word, new ones aren't", async () => {
    const { proxy } = network;
    const transfer = echo(network, BYTES);
    await arrived(transfer, 0.2);
    proxy.blackHole();
    proxy.heal();
    await expectWhole(transfer.over);
  });

  test('the reader stops for 30 s', async () => {
    const transfer = echo(network, BYTES);
    await arrived(transfer, 0.1);
    transfer.pause();
    const before = transfer.arrived();
    await sleep(STOP_MILLIS);
    expect(transfer.arrived()).toBe(before);
    transfer.resume();
    await expectWhole(transfer.over);
  });

  test('a byte a second arrives in time beside whole transfers, 60 times', async () => {
    const trickle = network.ssh('cat');
    const { stdin, stdout } = trickle;
    if (!stdin || !stdout) throw new Error('ssh has no pipes');
    const isOver = new AbortController();
    const bulk = (async () => {
      let transfers = 0;
      for (; !isOver.signal.aborted; transfers += 1) await expectWhole(echo(network, BYTES).over);
      return transfers;
    })();
    const waits: number[] = [];
    for (let n = 0; n < 60; n += 1) {
      const sent = performance.now();
      stdin.write(String.fromCharCode(33 + n));
      const [back] = (await once(stdout, 'data')) as [Buffer];
      expect(back.toString()).toBe(String.fromCharCode(33 + n));
      waits.push(performance.now() - sent);
      await sleep(1000);
    }
    isOver.abort();
    stdin.end();
    await once(trickle, 'close');
    const transfers = await bulk;
    expect(transfers).toBeGreaterThan(0);
    // The first one waits for the connection.
    const longest = Math.max(...waits.slice(1));
    expect(longest).toBeLessThan(5_000);
    console.info(
      `60 bytes, each back within ${longest.toFixed(0)} ms, beside ${transfers} x 64 MiB`,
    );
  });

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
