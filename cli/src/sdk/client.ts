/** The SDK: everything that `golem` does over the wire, for one requestor at one discovery service. */
import { paths, type OperationPage } from '@vm-on-golem/shared/api';
import { secureRandom } from '@vm-on-golem/shared/ids';
import type { Identity } from '@vm-on-golem/shared/keys';
import { Books } from './books/books.ts';
import { Providers } from './offers/providers.ts';
import { rediscover, type Rediscovered, type RediscoverOptions } from './own/rediscover.ts';
import type { CallOptions } from './ports.ts';
import type { VmCommand } from './vms/commands.ts';
import { VmConsole } from './vms/console.ts';
import { VmEvents } from './vms/events.ts';
import { GrantClient } from './vms/grants.ts';
import { Vms } from './vms/vms.ts';
import { within } from './wire/deadline.ts';
import { follow, type FollowOptions } from './wire/operations.ts';
import { Transport, type TransportOptions } from './wire/transport.ts';

export type ClientOptions = Pick<TransportOptions, 'discovery' | 'identity'> &
  Partial<Omit<TransportOptions, 'discovery' | 'identity'>>;

export class GolemClient {
  readonly providers: Providers;
  readonly vms: Vms;
  readonly events: VmEvents;
  readonly console: VmConsole;
  readonly grants: GrantClient;
  readonly books: Books;
  readonly identity: () => Promise<Identity>;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.identity = options.identity;
    this.#transport = new Transport({
      fetch: (...args) => globalThis.fetch(...args),
      now: Date.now,
      random: secureRandom,
      sleep: sleepFor,
      ...options,
    });
    this.providers = new Providers(this.#transport);
    this.vms = new Vms(this.#transport);
    this.events = new VmEvents(this.#transport);
    this.console = new VmConsole(this.#transport);
    this.grants = new GrantClient(this.#transport);
    this.books = new Books(this.#transport);
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
