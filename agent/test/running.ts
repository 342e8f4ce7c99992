/** The whole agent in this process, with memory guests and a hub that a test plays by hand. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { paths, type Accepted, type OperationPage } from '@vm-on-golem/shared/api';
import type { AgentMessage } from '@vm-on-golem/shared/control';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { openOffer, type Offer, type SignedOffer } from '@vm-on-golem/shared/offer';
import { verifyAnswer } from '@vm-on-golem/shared/answers';
import { signRequest } from '@vm-on-golem/shared/signing';
import { run } from '../src/agent.ts';
import { loadConfig } from '../src/config/config.ts';
import { LiveConfig } from '../src/config/live.ts';
import { createMemoryDriver } from '../src/drivers/memory/driver.ts';
import type { MemoryFaults } from '../src/drivers/memory/faults.ts';
import { openLog } from '../src/log/log.ts';
import { Hub, type Wire } from './hub.ts';

type Response = Extract<AgentMessage, { type: 'response' }>;

export interface RunningOptions {
  readonly dir: string;
  /** Besides where discovery and the data are. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly faults?: MemoryFaults;
  /** Who asks; somebody new, unless it is said. */
  readonly owner?: Identity;
}

export interface Answered {
  readonly status: number;
  /** Parsed. */
  readonly body: unknown;
}

export class RunningAgent implements AsyncDisposable {
  readonly id: string;
  /** The first offer. */
  readonly offer: Offer;
  readonly wire: Wire;
  readonly owner: Identity;
  readonly #hub: Hub;
  readonly #logFile: string;
  readonly #stop: () => Promise<void>;
  /** Offers that have come since the first one. */
  readonly offers: SignedOffer[] = [];
  readonly #waiting = new Map<string, (response: Response) => void>();
  #news = Promise.withResolvers<void>();
  #requests = 0;

  private constructor(
    parts: { id: string; offer: Offer; wire: Wire; owner: Identity; hub: Hub; logFile: string },
    stop: () => Promise<void>,
  ) {
    this.id = parts.id;
    this.offer = parts.offer;
    this.wire = parts.wire;
    this.owner = parts.owner;
    this.#hub = parts.hub;
    this.#logFile = parts.logFile;
    this.#stop = stop;
    void this.#read();
  }

  static async start(options: RunningOptions): Promise<RunningAgent> {
    const { dir, settings = {}, faults = {} } = options;
    const hub = await Hub.start();
    const logFile = join(dir, 'log', 'provider.log');
    const flags = {
      discovery: hub.url,
      'data-dir': dir,
      driver: 'memory',
      cpus: '64',
      ...settings,
    };
    const live = new LiveConfig(() => loadConfig(flags, { XDG_CONFIG_HOME: dir }));
    const opened = openLog({ level: live.current['log-level'], file: logFile });
    const stopping = new AbortController();
    const ended = run(live, stopping.signal, {
      log: opened.log,
      connected: () => undefined,
      openDriver: (stateDir) => createMemoryDriver({ stateDir, faults }),
    });
    const stop = async () => {
      stopping.abort();
      await ended;
      opened[Symbol.dispose]();
      await hub[Symbol.asyncDispose]();
    };
    // A start that fails is what the test wants to know of, not that nobody connects.
    const wire = await Promise.race([hub.connection(), ended.then(never)]);
    const { offer } = await wire.message('offer');
    wire.welcome();
    const { provider: id } = JSON.parse(offer.text) as { provider: string };
    const owner = options.owner ?? (await generateIdentity('requestor'));
    const first = await openOffer(offer, id);
    const agent = new RunningAgent({ id, offer: first, wire, owner, hub, logFile }, stop);
    // Nothing is let in that was signed in the second of the start.
    while ((await agent.ask('GET', paths.vms(id))).status !== 200) await sleep(50);
    return agent;
  }

  /** Asks under a name, as a hub does. */
  async ask(
    method: string,
    path: string,
    { body, name = `req_${(this.#requests += 1)}` }: { body?: unknown; name?: string } = {},
  ): Promise<Answered> {
    const request = await signRequest(
      {
        ...{ method, url: `${this.#hub.url}${path}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(method === 'GET' ? {} : { idempotencyKey: crypto.randomUUID() }),
      },
      this.owner,
      { now: Date.now },
    );
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.#waiting.set(name, resolve);
    this.wire.send({ type: 'request', id: name, ...request });
    const answer = await promise;
    await verifyAnswer(answer, request, this.id);
    return { status: answer.status, body: JSON.parse(answer.body) as unknown };
  }

  async create(body: unknown, name?: string): Promise<Accepted> {
    const { status, body: accepted } = await this.ask('POST', paths.vms(this.id), {
      body,
      ...(name === undefined ? {} : { name }),
    });
    if (status !== 202) throw new Error(`create: ${status} ${JSON.stringify(accepted)}`);
    return accepted as Accepted;
  }

  /** To the end of an operation. */
  async follow(operation: string): Promise<OperationPage> {
    for (;;) {
      const path = `${paths.operation(this.id, operation)}?after=99&wait=5`;
      const page = (await this.ask('GET', path)).body as OperationPage;
      if (page.state !== 'running') return page;
    }
  }

  /** Resolves when the last offer is one that `holds` of, now or later. */
  async offered(holds: (offer: Offer) => boolean): Promise<void> {
    for (;;) {
      const last = this.offers.at(-1);
      if (last && holds(JSON.parse(last.text) as Offer)) return;
      this.#news = Promise.withResolvers();
      await this.#news.promise;
    }
  }

  /** The lines of the log so far. */
  async log(): Promise<Record<string, unknown>[]> {
    const text = await readFile(this.#logFile, 'utf8');
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }

  async #read(): Promise<void> {
    for (;;) {
      const message = JSON.parse(await this.wire.text()) as AgentMessage;
      if (message.type === 'offer') {
        this.offers.push(message.offer);
        this.#news.resolve();
      } else this.#waiting.get(message.id)?.(message);
    }
  }
}

function never(): never {
  throw new Error('the agent ended before it connected');
}
