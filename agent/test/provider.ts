/** A provider without its link: real keys, real signatures, real SQLite, guests without a hypervisor. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { paths, type Accepted, type CreateVm, type OperationPage } from '@vm-on-golem/shared/api';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import { verifyAnswer, type WireAnswer } from '@vm-on-golem/shared/answers';
import { signRequest, type WireRequest } from '@vm-on-golem/shared/signing';
import { pino } from 'pino';
import { createApp } from '../src/api/app.ts';
import { Gate } from '../src/api/gate.ts';
import { createServe, type Serve } from '../src/api/serve.ts';
import type { Capability, Driver } from '../src/drivers/driver.ts';
import { createMemoryDriver } from '../src/drivers/memory/driver.ts';
import type { MemoryFaults } from '../src/drivers/memory/faults.ts';
import { memoryImage } from '../src/drivers/memory/image.ts';
import { clock as machineClock } from '../src/clock.ts';
import { openProvider, type Provider } from '../src/identity/provider.ts';
import type { LeaseTerms } from '../src/vms/leases/terms.ts';
import { Store } from '../src/vms/store/store.ts';
import type { Policy, Share } from '../src/vms/policy.ts';
import type { Relays } from '../src/relay/relays.ts';
import { openVms, type Images, type Vms, type VmsOptions } from '../src/vms/vms.ts';

export const DISCOVERY = 'https://discovery.example';
const SSH_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAjjhnN72cAd+Q2QsTVFhAz/YtZm9uPqDFwVzRSDS1OD me';
const PRICES = {
  cpuHour: 5_000_000,
  memoryGiBHour: 2_000_000,
  storageGiBHour: 100_000,
};

const BOUNDLESS: Share = { vms: Infinity, cpus: Infinity, memoryMiB: Infinity };
const EVERYBODY: Policy = {
  access: 'public',
  ...{ allow: new Set<string>(), deny: new Set<string>() },
  ...{ perRequestor: BOUNDLESS, strangers: BOUNDLESS },
};

export const silent = pino({ level: 'silent' });

/** As they are without settings. */
const DAY = 24 * 3600_000;
const TERMS = {
  ...{ leaseMillis: DAY, leaseMaxMillis: 30 * DAY, leaseGraceMillis: DAY },
  orphanGraceMillis: 7 * DAY,
};

/** A clock that tests put forward. */
class TestClock {
  #offset = 0;
  #jumped = 0;
  readonly #up: () => number;

  constructor(up: () => number = () => performance.now()) {
    this.#up = up;
  }

  readonly now = (): number => Date.now() + this.#offset + this.#jumped;
  /** Milliseconds since the machine was started. */
  readonly uptime = (): number => Math.round(this.#up()) + this.#offset;
  /** Time passes. */
  advance(millis: number): void {
    this.#offset += millis;
  }
  /** Somebody sets the wall clock. */
  jump(millis: number): void {
    this.#jumped += millis;
  }
}

/** A folder of its own, removed at the end. */
export async function scratchFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'golem-agent-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface TestProviderOptions {
  readonly dir: string;
  readonly faults?: MemoryFaults;
  readonly capabilities?: readonly Capability[];
  /** Stands between the agent and its guests. */
  readonly wrapDriver?: (driver: Driver) => Driver;
  readonly images?: Images;
  readonly capacity?: Partial<Amounts>;
  /** Without it everybody is served, with as much as there is. */
  readonly policy?: () => Policy;
  readonly terms?: Partial<LeaseTerms>;
  readonly closed?: () => string | undefined;
  readonly minimum?: VmsOptions['minimum'];
  readonly refresh?: VmsOptions['refresh'];
  /** Of the machine. */
  readonly bootId?: string;
  /** Milliseconds since whatever was in the folder before. */
  readonly passed?: number;
  /** Milliseconds since the machine was started. */
  readonly uptime?: () => number;
  readonly timers?: Timers;
  readonly wrapStore?: (store: Store) => void;
}

export interface TestProvider extends AsyncDisposable {
  readonly id: string;
  readonly provider: Provider;
  readonly clock: TestClock;
  readonly driver: Driver;
  readonly store: Store;
  readonly vms: Vms;
  readonly gate: Gate;
  readonly serve: Serve;
  /** From now on these sessions end when their VM, or their requestor's place in it, does. */
  cutBy(relays: Pick<Relays, 'cut'>): void;
}

/** Starts as the agent does, and takes up what an earlier one has left in `dir`. */
export async function startProvider(options: TestProviderOptions): Promise<TestProvider> {
  const { dir, faults = {}, wrapDriver = (driver) => driver, capacity = {} } = options;
  await using resources = new AsyncDisposableStack();
  await mkdir(dir, { recursive: true });
  const clock = new TestClock(options.uptime);
  clock.advance(options.passed ?? 0);
  const { now } = clock;
  const store = resources.use(new Store(join(dir, 'provider.db')));
  options.wrapStore?.(store);
  let cut: VmsOptions['cut'] = () => {};
  const provider = await openProvider(dir, now);
  const stateDir = join(dir, 'guests');
  const able = options.capabilities ? { capabilities: options.capabilities } : {};
  const driver = resources.use(wrapDriver(await createMemoryDriver({ stateDir, faults, ...able })));
  const images = options.images ?? {
    list: () => [memoryImage],
    resolve: async () => memoryImage,
  };
  const { identity, sealingKey } = provider;
  const vms = resources.use(
    openVms({
      ...{
        provider: identity.id,
        sealingKey,
        images,
        driver,
        store,
        now,
        timers: options.timers ?? machineClock,
        awake: clock.uptime,
      },
      host: { bootId: options.bootId ?? 'boot-1', uptime: clock.uptime },
      terms: { ...TERMS, ...options.terms },
      ...(options.closed ? { closed: options.closed } : {}),
      ...(options.minimum ? { minimum: options.minimum } : {}),
      ...(options.refresh ? { refresh: options.refresh } : {}),
      prices: () => PRICES,
      capacity: () => ({ cpus: 8, memoryMiB: 16_384, storageGiB: 200, vms: 10, ...capacity }),
      log: silent,
      policy: () => options.policy?.() ?? EVERYBODY,
      changed: () => {},
      cut: (...args) => cut(...args),
    }),
  );
  await vms.reconcile();
  const gate = new Gate({ provider: identity.id, discovery: DISCOVERY, now });
  // Nothing is let in that was signed in the second of the start.
  clock.advance(2000);
  const app = createApp({ gate, vms, log: silent });
  const serve = createServe({ app, identity, now });
  const kept = resources.move();
  return {
    ...{ id: identity.id, provider, clock, driver, store, vms, gate, serve },
    cutBy: (relays) => {
      cut = (...args) => relays.cut(...args);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type Method = (...args: unknown[]) => unknown;

/** A driver in which some methods are others. */
export function overlay(driver: Driver, change: Partial<Driver>): Driver {
  const names = Reflect.ownKeys(Object.getPrototypeOf(driver) as object) as (keyof Driver)[];
  const methods = names
    .filter((name) => String(name) !== 'constructor' && typeof driver[name] === 'function')
    // No bound functions: V8 does not take them for disposers.
    .map((name) => [
      name,
      (...args: unknown[]) => Reflect.apply(driver[name] as Method, driver, args),
    ]);
  const { name, capabilities } = driver;
  return { ...(Object.fromEntries(methods) as Driver), name, capabilities, ...change };
}

export interface CallOptions {
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  /** What happens to the signed request on its way. */
  readonly tamper?: (request: WireRequest) => WireRequest;
}

export interface Answered {
  readonly status: number;
  /** Parsed body. */
  readonly body: unknown;
  readonly request: WireRequest;
  readonly answer: WireAnswer;
}

/** One requestor: signs what it asks, and believes only what the provider signed. */
export class Requestor {
  readonly identity: Identity;
  readonly #at: TestProvider;

  constructor(identity: Identity, at: TestProvider) {
    this.identity = identity;
    this.#at = at;
  }

  static async of(at: TestProvider): Promise<Requestor> {
    return new Requestor(await generateIdentity('requestor'), at);
  }

  get id(): string {
    return this.identity.id;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answered> {
    const { body, idempotencyKey = crypto.randomUUID(), tamper = (request) => request } = options;
    const signed = await signRequest(
      {
        method,
        url: `${DISCOVERY}${path}`,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(method === 'GET' ? {} : { idempotencyKey }),
      },
      this.identity,
      { now: this.#at.clock.now },
    );
    return this.send(tamper(signed), options.signal);
  }

  async send(
    request: WireRequest,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Answered> {
    const answer = await this.#at.serve(request, signal);
    await verifyAnswer(answer, request, this.#at.id);
    return { status: answer.status, body: JSON.parse(answer.body) as unknown, request, answer };
  }

  async create(name: string, change: Partial<CreateVm> = {}): Promise<Accepted> {
    const { status, body } = await this.call('POST', paths.vms(this.#at.id), {
      body: createBody(name, change),
    });
    if (status !== 202) throw new Error(`create: ${status} ${JSON.stringify(body)}`);
    return body as Accepted;
  }

  /** Follows an operation to its end. */
  async follow(operation: string): Promise<OperationPage> {
    let after = 0;
    const events: OperationPage['events'] = [];
    for (;;) {
      const path = `${paths.operation(this.#at.id, operation)}?after=${after}&wait=10`;
      const { status, body } = await this.call('GET', path);
      if (status !== 200) throw new Error(`operation: ${status} ${JSON.stringify(body)}`);
      const page = body as OperationPage;
      events.push(...page.events);
      after = events.at(-1)?.n ?? after;
      if (page.state !== 'running') return { ...page, events };
    }
  }

  /** Asks for an operation and follows it to its end. */
  async done(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<OperationPage> {
    const answer = await this.call(method, path, body === undefined ? {} : { body });
    if (answer.status !== 202) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    return this.follow((answer.body as Accepted).operation);
  }

  async running(name: string, change: Partial<CreateVm> = {}): Promise<Accepted['vm']> {
    const { operation } = await this.create(name, change);
    const { vm, error } = await this.follow(operation);
    if (vm?.state !== 'running') throw new Error(`${name}: ${JSON.stringify(error)}`);
    return vm;
  }
}

export function createBody(name: string, change: Partial<CreateVm> = {}): CreateVm {
  return {
    name,
    resources: { cpus: 1, memoryMiB: 512, storageGiB: 5 },
    image: memoryImage.id,
    sshKeys: [SSH_KEY],
    ...change,
  };
}

export const stagesOf = ({ events }: OperationPage) => events.map(({ stage }) => stage);
