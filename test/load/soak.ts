/**
 * Everything at once, for a long time: sessions that live long, that come and go, that stall, that
 * carry a keystroke now and then, on a network that keeps failing. Every byte is checked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RelayMode } from '../../discovery-worker/src/objects/relay/modes.ts';
import { GolemError } from '../../shared/src/errors.ts';
import { startProxy, type Proxy } from '../proxy.ts';
import { echo } from './echo.ts';
import type { Behaviour } from './guest.ts';
import { startLoadNetwork, type ByteSession, type LoadNetwork } from './network.ts';
import {
  describe,
  describeSample,
  type RareFault,
  type SoakResult,
  type SoakSample,
} from './outcome.ts';
import { descriptors, residentBytes } from './processes.ts';

const MIB = 2 ** 20;
const LONG = { sessions: 8, roundBytes: 2 * MIB, lifeMillis: 60_000 };
/** Below what an agent remembers of one requestor's requests in a minute. */
const SHORT = { sessions: 4, bytes: 50_000, pauseMillis: 250 };
const STALL = { readBytes: 8 * MIB, millis: 20_000 };
const KEY_MILLIS = 1_000;
const CUT_MILLIS = { min: 1_000, max: 5_000 };
const HOLE_MILLIS = 10_000;
const REOPEN_MILLIS = 500;
/** A hole, a silence until it is noticed, and some tries: faults follow each other. */
const LONGEST_WAIT_MILLIS = 90_000;

/** Rare faults, each after so much time, over and over. */
const RARE = [
  { name: 'cut', everyMillis: 60_000 },
  { name: 'hole', everyMillis: 150_000 },
  { name: 'kill', everyMillis: 240_000 },
  { name: 'stop', everyMillis: 330_000 },
] as const satisfies readonly { name: RareFault; everyMillis: number }[];

export interface SoakOptions {
  readonly relayMode: RelayMode;
  readonly millis: number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Told of every sample. */
  readonly onSample: (line: string) => void;
  readonly sampleMillis: number;
}

export async function soak(options: SoakOptions): Promise<SoakResult> {
  await using cleanup = new AsyncDisposableStack();
  let port = 0;
  const proxy = cleanup.use(await startProxy({ target: () => ({ host: '127.0.0.1', port }) }));
  const network = cleanup.use(
    await startLoadNetwork({
      relayMode: options.relayMode,
      front: async (discovery) => {
        port = Number(new URL(discovery).port);
        return `http://127.0.0.1:${proxy.port}`;
      },
    }),
  );
  const run = new Soak(network, proxy, options);
  await run.done();
  return run.result;
}

class Soak {
  readonly result: SoakResult = {
    ...{ sessions: 0, echoedBytes: 0, keystrokes: 0, cuts: 0, reopened: 0, longestWaitMillis: 0 },
    ...{ faults: { cut: 0, hole: 0, kill: 0, stop: 0 }, broken: [], samples: [] },
  };
  readonly #network: LoadNetwork;
  readonly #proxy: Proxy;
  readonly #options: SoakOptions;
  readonly #end: number;
  readonly #stop: AbortSignal;

  constructor(network: LoadNetwork, proxy: Proxy, options: SoakOptions) {
    this.#network = network;
    this.#proxy = proxy;
    this.#options = options;
    this.#end = performance.now() + options.millis;
    this.#stop = AbortSignal.any([options.signal, AbortSignal.timeout(options.millis)]);
  }

  async done(): Promise<void> {
    const many = (count: number, what: string, loop: () => Promise<void>) =>
      Array.from({ length: count }, () => this.#while(what, loop));
    await Promise.all([
      ...many(LONG.sessions, 'a long session', () => this.#long()),
      ...many(SHORT.sessions, 'a short session', () => this.#short()),
      ...many(1, 'a stalled session', () => this.#stall()),
      ...many(1, 'keystrokes', () => this.#keys()),
      this.#cut(),
      ...RARE.map((fault) => this.#fault(fault)),
      this.#sample(),
    ]);
  }

  get #isOver(): boolean {
    return this.#stop.aborted;
  }

  async #while(what: string, loop: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await loop();
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.result.broken.push(`${what}: ${why}`);
      }
    }
  }

  async #long(): Promise<void> {
    const session = await this.#open('echo');
    if (!session) return;
    const until = Math.min(performance.now() + LONG.lifeMillis, this.#end);
    while (!this.#options.signal.aborted && performance.now() < until) {
      await this.#echo(session, LONG.roundBytes);
    }
    await this.#close(session);
  }

  async #short(): Promise<void> {
    const session = await this.#open('echo');
    if (!session) return;
    await this.#echo(session, SHORT.bytes);
    await this.#close(session);
    await this.#pause(SHORT.pauseMillis);
  }

  async #stall(): Promise<void> {
    const session = await this.#open('pour');
    if (!session) return;
    let read = 0;
    for await (const chunk of session.output.iterator({ destroyOnReturn: false })) {
      read += (chunk as Buffer).length;
      if (read >= STALL.readBytes) break;
    }
    await this.#pause(STALL.millis);
    await session.drop();
  }

  async #keys(): Promise<void> {
    const session = await this.#open('echo');
    if (!session) return;
    while (!this.#isOver) {
      await this.#echo(session, 1);
      this.result.keystrokes += 1;
      await this.#pause(KEY_MILLIS);
    }
    await this.#close(session);
  }

  /** Undefined when it is over. */
  async #open(behaviour: Behaviour): Promise<ByteSession | undefined> {
    const started = performance.now();
    while (!this.#isOver) {
      try {
        const session = await this.#network.open(behaviour);
        const waited = performance.now() - started;
        this.result.sessions += 1;
        this.result.longestWaitMillis = Math.max(this.result.longestWaitMillis, waited);
        if (waited > LONGEST_WAIT_MILLIS) {
          this.result.broken.push(`a session was opened after ${Math.round(waited / 1000)} s only`);
        }
        return session;
      } catch (error) {
        if (!(error instanceof GolemError && error.retryable)) throw error;
        this.result.reopened += 1;
        await this.#pause(REOPEN_MILLIS);
      }
    }
    return undefined;
  }

  async #echo(session: ByteSession, bytes: number): Promise<void> {
    if (!(await echo(session, bytes))) throw new Error('bytes came back changed');
    this.result.echoedBytes += bytes;
  }

  async #close({ input, output, over }: ByteSession): Promise<void> {
    input.end();
    output.resume();
    await over;
  }

  async #cut(): Promise<void> {
    const { random } = this.#options;
    const { min, max } = CUT_MILLIS;
    for (;;) {
      await this.#pause(min + random() * (max - min));
      if (this.#isOver) return;
      this.#proxy.killOne(random());
      this.result.cuts += 1;
    }
  }

  async #fault({ name, everyMillis }: (typeof RARE)[number]): Promise<void> {
    for (;;) {
      await this.#pause(everyMillis);
      if (this.#isOver) return;
      this.result.faults[name] += 1;
      if (name === 'cut') this.#proxy.kill();
      else if (name === 'hole') {
        this.#proxy.blackHole();
        await this.#pause(HOLE_MILLIS);
        this.#proxy.heal();
      } else {
        await this.#network.stack.endDiscovery(name === 'kill' ? 'SIGKILL' : 'SIGTERM');
        await this.#network.stack.restartDiscovery();
      }
    }
  }

  async #sample(): Promise<void> {
    const started = performance.now();
    for (;;) {
      await this.#pause(this.#options.sampleMillis);
      if (this.#isOver) return;
      const { agentPid } = this.#network;
      let relayPid;
      try {
        ({ relayPid } = this.#network);
      } catch {
        // It is being started again at this moment.
        continue;
      }
      const sample: SoakSample = {
        agentMiB: Math.round(residentBytes(agentPid) / MIB),
        relayMiB: Math.round(residentBytes(relayPid) / MIB),
        agentFiles: descriptors(agentPid),
        relayFiles: descriptors(relayPid),
      };
      this.result.samples.push(sample);
      const seconds = Math.round((performance.now() - started) / 1000);
      this.#options.onSample(`${seconds} s: ${describe(this.result)}; ${describeSample(sample)}`);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    try {
      await sleep(milliseconds, undefined, { signal: this.#stop });
    } catch (error) {
      if (!this.#isOver) throw error;
    }
  }
}
