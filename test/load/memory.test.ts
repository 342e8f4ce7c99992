/** What sessions cost in memory: as much as their windows, however slow a reader or fast a writer is. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RELAY_MODES } from '../../discovery-worker/src/objects/relay/modes.ts';
import { LIMITS } from '../../shared/src/limits.ts';
import { echo } from './echo.ts';
import { greeting, startLoadNetwork, type ByteSession, type LoadNetwork } from './network.ts';
import { descriptors, residentBytes } from './processes.ts';

const MIB = 2 ** 20;
const launcher = join(import.meta.dirname, '../..', 'cli/bin/golem.js');
const WINDOW = LIMITS.relay.windowMaxBytes;
/** Of each direction; each end keeps what it sent, or what its reader has not taken. */
const SESSION_BYTES = 2 * WINDOW;
/** Heaps grow by this much before anybody collects them, whatever the number of sessions. */
const SLACK_BYTES = 64 * MIB;
const STALLED = 12;
const PROXIES = 2;
/** Enough for every window to have become as large as it gets. */
const FLOWING_BYTES = 24 * MIB;
const CONCURRENT = 200;
const CYCLES = 1_000;
const CYCLE_BYTES = 200 * 1024;
const AT_ONCE = 10;
const SPARE_FILES = 10;

describe.each(RELAY_MODES)('over a relay in %s mode', (mode) => {
  let network: LoadNetwork;
  /** Open files of an agent and a relay without sessions, give or take a log or a timer. */
  let files: { agent: number; relay: number };
  beforeAll(async () => {
    network = await startLoadNetwork({ relayMode: mode });
    files = {
      agent: descriptors(network.agentPid) + SPARE_FILES,
      relay: descriptors(network.relayPid) + SPARE_FILES,
    };
    // What the first sessions of a process bring into memory is there for good.
    for (let n = 0; n < 4; n += 1) await opened(2, (session) => echo(session, 8 * MIB));
  });
  afterAll(() => network?.[Symbol.asyncDispose]());

  /** Opens sessions, uses all of them at once, and hangs up. */
  async function opened<Result>(
    count: number,
    use: (session: ByteSession) => Promise<Result>,
  ): Promise<Result[]> {
    const sessions: ByteSession[] = [];
    while (sessions.length < count) {
      const some = Math.min(AT_ONCE, count - sessions.length);
      sessions.push(
        ...(await Promise.all(Array.from({ length: some }, () => network.open('echo')))),
      );
    }
    const results = await Promise.all(sessions.map(use));
    for (const { input, output } of sessions) {
      input.end();
      output.resume();
    }
    await Promise.all(sessions.map(({ over }) => over));
    return results;
  }

  function memory(): { agent: number; relay: number } {
    return { agent: residentBytes(network.agentPid), relay: residentBytes(network.relayPid) };
  }

  /** `golem vm proxy`, as ssh starts it, having asked for `behaviour`. */
  async function startProxy(behaviour: 'pour' | 'hold') {
    const child = spawn(process.execPath, [launcher, 'vm', 'proxy', 'web'], {
      env: { ...process.env, ...network.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdin, stdout } = child as ChildProcess & { stdin: Writable; stdout: Readable };
    stdin.on('error', () => stdin.destroy());
    stdin.write(`${behaviour}\n`);
    await greeting(stdout);
    return { child, stdin, stdout };
  }

  test(`a reader that stops holds up its writer: ${STALLED} sessions and ${PROXIES} of golem's`, async () => {
    const { guest } = network;
    const before = memory();
    const sessions = await Promise.all(Array.from({ length: STALLED }, () => network.open('pour')));
    const proxies = await Promise.all(Array.from({ length: PROXIES }, () => startProxy('pour')));
    await Promise.all(
      [...sessions.map(({ output }) => output), ...proxies.map(({ stdout }) => stdout)].map(
        (output) => readSome(output, FLOWING_BYTES),
      ),
    );
    const flowing = proxies.map(({ child }) => residentBytes(child.pid ?? NaN));
    const poured = await stillness(() => guest.poured);
    const after = memory();
    const stalled = proxies.map(({ child }) => residentBytes(child.pid ?? NaN));
    await sleep(2_000);
    expect(guest.poured).toBe(poured);

    const bound = (STALLED + PROXIES) * SESSION_BYTES + SLACK_BYTES;
    expect(after.agent - before.agent).toBeLessThan(bound);
    expect(after.relay - before.relay).toBeLessThan(bound);
    for (const [at, resident] of stalled.entries()) {
      expect(resident - (flowing[at] ?? 0)).toBeLessThan(SESSION_BYTES);
    }
    report(mode, 'stalled readers', before, after, STALLED + PROXIES);
    await Promise.all(sessions.map((session) => session.drop()));
    for (const { child } of proxies) child.kill();
    await vi.waitUntil(() => guest.open === 0, { timeout: 20_000 });
  });

  test(`a guest that stops reading holds up its writer: ${STALLED} sessions and ${PROXIES} of golem's`, async () => {
    const { guest } = network;
    const before = memory();
    let written = 0;
    const pour = async (input: Writable, signal: AbortSignal) => {
      const chunk = Buffer.alloc(64 * 1024);
      while (!signal.aborted) {
        const isTaken = input.write(chunk, () => (written += chunk.length));
        if (!isTaken) await once(input, 'drain', { signal });
      }
    };
    const stop = new AbortController();
    const sessions = await Promise.all(Array.from({ length: STALLED }, () => network.open('hold')));
    const proxies = await Promise.all(Array.from({ length: PROXIES }, () => startProxy('hold')));
    const pouring = [
      ...sessions.map(({ input }) => input),
      ...proxies.map(({ stdin }) => stdin),
    ].map((input) => pour(input, stop.signal).catch(() => stop.signal.aborted));
    const total = await stillness(() => written);
    const after = memory();
    const proxied = proxies.map(({ child }) => residentBytes(child.pid ?? NaN));
    await sleep(2_000);
    expect(written).toBe(total);

    const bound = (STALLED + PROXIES) * SESSION_BYTES + SLACK_BYTES;
    expect(after.agent - before.agent).toBeLessThan(bound);
    expect(after.relay - before.relay).toBeLessThan(bound);
    for (const resident of proxied) expect(resident).toBeLessThan(SESSION_BYTES + 160 * MIB);
    report(mode, 'stalled guests', before, after, STALLED + PROXIES);
    stop.abort();
    await Promise.all(sessions.map((session) => session.drop()));
    for (const { child } of proxies) child.kill();
    await Promise.all(pouring);
    // Nobody reads there, so nobody sees that they were hung up on.
    guest.hangUp();
    await vi.waitUntil(() => descriptors(network.agentPid) <= files.agent, { timeout: 20_000 });
  });

  test(`${CONCURRENT} sessions at once on one agent, each whole`, async () => {
    const before = memory();
    let during = before;
    const whole = await opened(CONCURRENT, async (session) => {
      const isWhole = await echo(session, MIB);
      during = memory();
      return isWhole;
    });
    expect(whole).toEqual(Array.from({ length: CONCURRENT }, () => true));
    expect(during.agent - before.agent).toBeLessThan(LIMITS.relay.budgetBytes + SLACK_BYTES);
    report(mode, `${CONCURRENT} sessions`, before, during, CONCURRENT);
    await vi.waitUntil(() => network.guest.open === 0, { timeout: 20_000 });
  });

  test(`nothing is left of ${CYCLES} sessions`, async () => {
    const use = async (sessions: number) => {
      for (let n = 0; n < sessions; n += AT_ONCE) {
        await Promise.all(
          Array.from({ length: AT_ONCE }, () => opened(1, (session) => echo(session, CYCLE_BYTES))),
        );
      }
      // Objects leave memory ten seconds after their last socket.
      await vi.waitUntil(() => descriptors(network.relayPid) <= files.relay, {
        ...{ timeout: 40_000, interval: 250 },
      });
    };
    // Allocators keep what was in use at once, and are used to the pace after that.
    await use(CYCLES / 2);
    const before = memory();
    await use(CYCLES);
    const after = memory();
    report(mode, `${CYCLES} cycles`, before, after, CYCLES);
    expect(network.guest.open).toBe(0);
    expect(descriptors(network.agentPid)).toBeLessThanOrEqual(files.agent);
    // Less than a session has to remember to be taken up again.
    expect(after.agent - before.agent).toBeLessThan((CYCLES * CYCLE_BYTES) / 4);
    expect(after.relay - before.relay).toBeLessThan((CYCLES * CYCLE_BYTES) / 4);
  });
});

async function readSome(output: Readable, bytes: number): Promise<void> {
  let read = 0;
  while (read < bytes) {
    const chunk = output.read() as Buffer | null;
    if (chunk) read += chunk.length;
    else await once(output, 'readable');
  }
}

/** Resolves with the value of a counter that has not changed for a second. */
async function stillness(count: () => number): Promise<number> {
  let last = -1;
  let since = performance.now();
  await vi.waitUntil(
    () => {
      if (count() !== last) [last, since] = [count(), performance.now()];
      return performance.now() - since > 1_000;
    },
    { timeout: 60_000, interval: 50 },
  );
  return last;
}

function report(
  mode: string,
  what: string,
  before: { agent: number; relay: number },
  after: { agent: number; relay: number },
  sessions: number,
): void {
  const grown = (name: 'agent' | 'relay') =>
    `${name} ${(after[name] / MIB).toFixed(0)} MiB, ${((after[name] - before[name]) / 1024 / sessions).toFixed(0)} KiB a session`;
  console.info(`${mode}, ${what}: ${grown('agent')}; ${grown('relay')}`);
}
