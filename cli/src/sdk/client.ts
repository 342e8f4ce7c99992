/** The SDK: everything that `golem` does over the wire, for one requestor at one discovery service. */
import { paths, type OperationPage } from '@vm-on-golem/shared/api';
import { secureRandom } from '@vm-on-golem/shared/ids';
import type { Identity } from '@vm-on-golem/shared/keys';
import type { Succeeded } from '@vm-on-golem/shared/succession';
import { Books } from './books/books.ts';
import { Providers } from './offers/providers.ts';
import { myProviders } from './own/my-providers.ts';
import { succeed } from './own/succession.ts';
import { rediscover, type Rediscovered, type RediscoverOptions } from './own/rediscover.ts';
import type { CallOptions, Rental } from './ports.ts';
import type { VmCommand } from './vms/commands.ts';
import { VmConsole } from './vms/console.ts';
import { VmEvents } from './vms/events.ts';
import { GrantClient } from './vms/grants.ts';
import { VmStats } from './vms/stats.ts';
import { Vms } from './vms/vms.ts';
import { within } from './wire/deadline.ts';
import { follow, type FollowOptions } from './wire/operations.ts';
import { Transport, type TransportOptions } from './wire/transport.ts';
import { candidates, type CandidateFilter } from './offers/candidates.ts';
import {
  change,
  destroy,
  look,
  renew,
  whileStopped,
  type ChangeOptions,
  type LookOptions,
} from './work/change.ts';
import { reconcile, type Reconciled, type ReconcileOptions } from './work/reconcile.ts';
import { rent, type RentOptions, type Wish } from './work/rent.ts';
import { settle, type SettleOptions } from './work/settle.ts';

export type ClientOptions = Pick<TransportOptions, 'discovery' | 'identity'> &
  Partial<Omit<TransportOptions, 'discovery' | 'identity'>>;

export class GolemClient {
  readonly providers: Providers;
  readonly vms: Vms;
  readonly events: VmEvents;
  readonly console: VmConsole;
  readonly stats: VmStats;
  readonly grants: GrantClient;
  readonly books: Books;
  readonly identity: () => Promise<Identity>;
  readonly #transport: Transport;
  readonly #now: () => number;

  constructor(options: ClientOptions) {
    this.#now = options.now ?? Date.now;
    this.identity = options.identity;
    this.#transport = new Transport({
      fetch: (...args) => globalThis.fetch(...args),
      now: this.#now,
      random: secureRandom,
      sleep: sleepFor,
      ...options,
    });
    this.providers = new Providers(this.#transport);
    this.vms = new Vms(this.#transport);
    this.events = new VmEvents(this.#transport);
    this.console = new VmConsole(this.#transport);
    this.stats = new VmStats(this.#transport);
    this.grants = new GrantClient(this.#transport);
    this.books = new Books(this.#transport);
  }

  /** Who comes into question for a VM, cheapest first. The deadline is that of each page. */
  candidates(filter: CandidateFilter, options: CallOptions) {
    return candidates(this.providers, filter, options);
  }

  /**
   * Has a VM created by the cheapest candidate that takes it: done when one has accepted it.
   * @returns with `pending`, until `settle` has seen the end of it
   */
  rent(wish: Wish, options: RentOptions): Promise<Rental> {
    return rent(this, wish, options);
  }

  /** Waits until nothing is at work on a VM any more, a creation or anything else. */
  settle(rental: Rental, options: SettleOptions): Promise<Rental> {
    return settle(this, rental, options);
  }

  /** Asks how a VM is, and remembers it, or that it is gone. */
  look(rental: Rental, options: LookOptions): Promise<Rental> {
    return look(this, rental, options);
  }

  /** @param seconds how long from now on; none for as long as the provider gives by itself */
  renew(rental: Rental, seconds: number | undefined, options: LookOptions): Promise<Rental> {
    return renew(this, rental, seconds, options);
  }

  /** Does something with a rented VM, and remembers what became of it. */
  apply(
    rental: Rental,
    command: Exclude<VmCommand, 'destroy'>,
    options: ChangeOptions,
  ): Promise<Rental> {
    return change(this, rental, command, options);
  }

  /** Does something that needs a VM at rest: one that runs is stopped, and started again after it. */
  whileStopped(
    rental: Rental,
    act: (stopped: Rental) => Promise<Rental>,
    options: ChangeOptions,
  ): Promise<Rental> {
    return whileStopped(this, rental, act, options);
  }

  /** Destroys a VM and forgets it. @returns false if it was gone already */
  giveBack(rental: Rental, options: ChangeOptions): Promise<boolean> {
    return destroy(this, rental, options);
  }

  /** Brings what is remembered in line with what providers say. */
  reconcile(options: ReconcileOptions): Promise<Reconciled> {
    return reconcile(this, options);
  }

  /** By the clock of this client. ISO 8601. */
  time(): string {
    return new Date(this.#now()).toISOString();
  }

  /**
   * Waits for the end of an operation. It goes on whether or not somebody waits.
   * @throws {OperationFailed} what it ended with
   */
  follow(provider: string, operation: string, options: FollowOptions): Promise<OperationPage> {
    return follow(this.#transport, provider, operation, options);
  }

  /** Does something with a VM, and waits for the end of it. */
  change(
    provider: string,
    vmId: string,
    command: VmCommand,
    { onStage, ...options }: FollowOptions,
  ): Promise<OperationPage> {
    return within(options, async (signal) => {
      const { operation } = await this.vms.send(provider, vmId, command, { signal });
      return this.follow(provider, operation, { signal, onStage });
    });
  }

  /** What providers have of this requestor's, whatever is remembered here. */
  rediscover(options: RediscoverOptions): Promise<Rediscovered[]> {
    return rediscover(this, options);
  }

  /** Ids of providers where this key may have VMs, as discovery remembers it: a hint. */
  async *myProviders(options: CallOptions): AsyncGenerator<string> {
    yield* myProviders(this.#transport, (await this.identity()).id, options);
  }

  /**
   * Gives all that this client's key has at a provider to `next`. May be repeated.
   * @throws {GolemError} `incompatible` where the provider is too old for it
   */
  async succession(provider: string, next: Identity, options: CallOptions): Promise<Succeeded> {
    const from = (await this.identity()).id;
    return succeed(this.#transport, provider, { from, next, now: this.#now() }, options);
  }

  /** Does `send` again for as long as it fails with what passes by itself and changed nothing. */
  patiently<Result>(
    options: CallOptions,
    send: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return this.#transport.patiently(options, send);
  }

  /** Where and with which headers the WebSocket of an SSH session is opened. Good for one try. */
  sshUpgrade(provider: string, vmId: string) {
    return this.#transport.upgrade(paths.ssh(provider, vmId));
  }

  /** The same for a session that lost its connection. */
  resumeUpgrade(session: string) {
    return this.#transport.upgrade(paths.relay(session));
  }
}

function sleepFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
