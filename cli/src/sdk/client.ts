/** The SDK: everything that `golem` does over the wire, for one requestor at one discovery service. */
import { paths, type Accepted } from '@vm-on-golem/shared/api';
import { secureRandom } from '@vm-on-golem/shared/ids';
import type { Identity } from '@vm-on-golem/shared/keys';
import { Books } from './books/books.ts';
import { GrantClient } from './vms/grants.ts';
import { newIdempotencyKey, Transport, type TransportOptions } from './wire/transport.ts';
import { follow, type FollowOptions } from './wire/operations.ts';
import { Providers } from './offers/providers.ts';
import { Vms, type Creation, type VmChange } from './vms/vms.ts';

export type ClientOptions = Pick<TransportOptions, 'discovery' | 'identity'> &
  Partial<Omit<TransportOptions, 'discovery' | 'identity'>>;

export class GolemClient {
  readonly providers: Providers;
  readonly vms: Vms;
  readonly grants: GrantClient;
  readonly books: Books;
  readonly identity: () => Promise<Identity>;
  readonly #transport: Transport;
  readonly #sleep: TransportOptions['sleep'];

  constructor(options: ClientOptions) {
    this.#sleep = options.sleep ?? sleepFor;
    this.identity = options.identity;
    this.#transport = new Transport({
      fetch: (...args) => globalThis.fetch(...args),
      now: Date.now,
      random: secureRandom,
      ...options,
      sleep: this.#sleep,
    });
    this.providers = new Providers(this.#transport);
    this.vms = new Vms(this.#transport);
    this.grants = new GrantClient(this.#transport);
    this.books = new Books(this.#transport);
  }

  /** Creates what `creation` says, or finds out what became of it if it was sent before. */
  create(provider: string, creation: Creation, signal: AbortSignal): Promise<Accepted> {
    const { body, idempotencyKey } = creation;
    return this.#transport.untilKnown(signal, () =>
      this.vms.create(provider, body, idempotencyKey, signal),
    );
  }

  follow(provider: string, operation: string, options: Omit<FollowOptions, 'sleep'>) {
    return follow(this.#transport, provider, operation, { ...options, sleep: this.#sleep });
  }

  /** Starts, stops or destroys a VM, and waits for the end of it. */
  async change(
    provider: string,
    vmId: string,
    change: VmChange,
    options: Omit<FollowOptions, 'sleep'>,
  ) {
    const { signal } = options;
    const key = newIdempotencyKey();
    const accepted: Accepted = await this.#transport.untilKnown(signal, () =>
      this.vms.change(provider, vmId, change, key, signal),
    );
    return this.follow(provider, accepted.operation, options);
  }

  /** Gives a VM a new lease, of so many seconds from now on. */
  renew(provider: string, vmId: string, seconds: number | undefined, signal: AbortSignal) {
    const key = newIdempotencyKey();
    return this.#transport.untilKnown(signal, () =>
      this.vms.renew(provider, vmId, seconds, key, signal),
    );
  }

  /** Does `send` again for as long as it fails with what passes by itself and changed nothing. */
  patiently<Result>(signal: AbortSignal, send: () => Promise<Result>): Promise<Result> {
    return this.#transport.patiently(signal, send);
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
