/** What kills other tunnels, in the middle of a transfer of 64 MiB there and back at once. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { RELAY_MODES } from '../../discovery-worker/src/objects/relay/modes.ts';
import { childOf } from '../load/processes.ts';
import { echo, MIB, startFaultyNetwork, type FaultyNetwork } from './transfer.ts';

const BYTES = 64 * MIB;
const KILLS = 50;
const HOLE_MILLIS = 20_000;
const STOP_MILLIS = 30_000;
const KEYSTROKES = 60;

let network: FaultyNetwork;
const networkIn = (mode: (typeof RELAY_MODES)[number]) => {
  beforeAll(async () => {
    network = await startFaultyNetwork(mode);
  });
  // What an earlier test cut takes its time to come back.
  beforeEach(() => network.online());
  afterAll(() => network?.[Symbol.asyncDispose]());
};

describe.each(RELAY_MODES)('over a relay in %s mode', (mode) => {
  networkIn(mode);

  test(`${KILLS} connections are cut at random moments`, async () => {
    const { proxy } = network;
    // Slow enough that the cuts fall into the transfer.
    proxy.throttle(4 * MIB);
    const transfer = echo(network, BYTES);
    await transfer.reached(0.01 * BYTES);
    let kills = 0;
    for (; kills < KILLS; kills += 1) {
      await sleep(Math.random() * 300);
      await vi.waitUntil(() => proxy.open > 0, { timeout: 20_000, interval: 5 });
      proxy.killOne(Math.random());
    }
    expect(transfer.arrived()).toBeLessThan(BYTES);
    proxy.throttle(Number.POSITIVE_INFINITY);
    expect(await transfer.back).toEqual(transfer.sent);
    console.info(`${mode}: ${kills} cuts, ${BYTES / MIB} MiB each way whole`);
  });

  test('discovery is killed with -9 and started again', async () => {
    const transfer = echo(network, BYTES);
    await transfer.reached(0.2 * BYTES);
    await network.stack.endDiscovery('SIGKILL');
    await network.stack.restartDiscovery();
    expect(await transfer.back).toEqual(transfer.sent);
  });

  test('everything falls into a black hole for 20 s while sockets stay open', async () => {
    const { proxy } = network;
    const transfer = echo(network, BYTES);
    await transfer.reached(0.2 * BYTES);
    proxy.blackHole();
    await sleep(HOLE_MILLIS);
    proxy.heal();
    expect(await transfer.back).toEqual(transfer.sent);
  });
});

describe('over a relay in coupled mode', () => {
  networkIn('coupled');

  test('what was held back for 20 s comes after all, when others have taken its place', async () => {
    const { proxy } = network;
    const transfer = echo(network, BYTES);
    await transfer.reached(0.2 * BYTES);
    proxy.blackHole();
    await sleep(HOLE_MILLIS);
    proxy.release();
    expect(await transfer.back).toEqual(transfer.sent);
  });

  test('a NAT forgets all flows: old ones are dead without a word, new ones work', async () => {
    const { proxy } = network;
    const transfer = echo(network, BYTES);
    await transfer.reached(0.2 * BYTES);
    proxy.blackHole();
    proxy.heal();
    expect(await transfer.back).toEqual(transfer.sent);
  });

  test('the reader stops for 30 s', async () => {
    const transfer = echo(network, BYTES);
    await transfer.reached(0.1 * BYTES);
    transfer.pause();
    const before = transfer.arrived();
    await sleep(STOP_MILLIS);
    expect(transfer.arrived()).toBe(before);
    transfer.resume();
    expect(await transfer.back).toEqual(transfer.sent);
  });

  test(`${KEYSTROKES} bytes at one a second come back in order beside whole transfers`, async () => {
    const trickle = network.ssh('cat');
    const { stdin, stdout } = trickle;
    if (!stdin || !stdout) throw new Error('ssh has no pipes');
    const isOver = new AbortController();
    const bulk = (async () => {
      let transfers = 0;
      for (; !isOver.signal.aborted; transfers += 1) {
        const transfer = echo(network, BYTES);
        expect(await transfer.back).toEqual(transfer.sent);
      }
      return transfers;
    })();
    let longest = 0;
    for (let n = 0; n < KEYSTROKES; n += 1) {
      const key = String.fromCharCode(33 + n);
      const sent = performance.now();
      stdin.write(key);
      const [back] = (await once(stdout, 'data')) as [Buffer];
      expect(back.toString()).toBe(key);
      // The first one waits for the connection.
      if (n > 0) longest = Math.max(longest, performance.now() - sent);
      await sleep(1000);
    }
    isOver.abort();
    stdin.end();
    await once(trickle, 'close');
    const transfers = await bulk;
    expect(transfers).toBeGreaterThan(0);
    console.info(`each within ${longest.toFixed(0)} ms, beside ${transfers} x ${BYTES / MIB} MiB`);
  });

  test('golem is told to stop: it takes its ssh with it', async () => {
    const child = network.ssh('cat');
    child.stdin?.write('x');
    await once(child.stdout ?? child, 'data');
    const ssh = childOf(child.pid ?? NaN, 'ssh');
    child.kill('SIGTERM');
    await once(child, 'close');
    expect(() => process.kill(ssh, 0)).toThrow('ESRCH');
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
