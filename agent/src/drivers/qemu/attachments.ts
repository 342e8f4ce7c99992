/** The control sockets of running guests, each held by one connection for as long as it lives. */
import { DriverError } from '../driver.ts';
import type { GuestFolder } from './folder.ts';
import type { GuestNetwork, SshEndpoint } from './network/network.ts';
import { qemuPid } from './process.ts';
import { Qmp, QmpUnreachable } from './qmp.ts';
import type { SpaceWatch } from './space.ts';
import { adopt } from './suspend.ts';

/** A guest that runs. */
export interface Attached {
  readonly qmp: Qmp;
  readonly endpoint: SshEndpoint;
  /** Resolves when it does nothing any more that an earlier agent has begun. */
  readonly settled: Promise<void>;
}

export class Attachments implements AsyncDisposable {
  readonly #network: Pick<GuestNetwork, 'locate'>;
  readonly #space: SpaceWatch;
  readonly #held = new Map<string, Promise<Attached>>();
  readonly #attaching = new Map<string, Promise<Attached | undefined>>();

  constructor(network: Pick<GuestNetwork, 'locate'>, space: SpaceWatch) {
    this.#network = network;
    this.#space = space;
  }

  /** Ids of the guests that are held. */
  get ids(): string[] {
    return [...this.#held.keys()];
  }

  /**
   * @returns undefined when the guest does not run
   * @throws {DriverError} when that cannot be told
   */
  attach(folder: GuestFolder): Promise<Attached | undefined> {
    const known = this.#held.get(folder.vmId) ?? this.#attaching.get(folder.vmId);
    if (known) return known;
    // QEMU serves one client at a time: whoever else asks waits for this one.
    const attaching = this.#connect(folder).finally(() => this.#attaching.delete(folder.vmId));
    this.#attaching.set(folder.vmId, attaching);
    return attaching;
  }

  hold(
    folder: GuestFolder,
    qmp: Qmp,
    settled: Promise<void> = Promise.resolve(),
  ): Promise<Attached> {
    const { vmId, path } = folder;
    const attached = Promise.all([
      this.#network.locate(vmId, qmp),
      this.#space.watch(vmId, path, qmp),
    ]).then(([endpoint]) => ({ qmp, endpoint, settled }));
    attached.catch(() => qmp[Symbol.dispose]());
    return this.#keep(vmId, qmp, attached, settled);
  }

  /** Has whoever attaches to the guest from now on wait for something. */
  settle(vmId: string, attached: Attached, settled: Promise<void>): void {
    void this.#keep(vmId, attached.qmp, Promise.resolve({ ...attached, settled }), settled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const result of await Promise.allSettled(this.#held.values())) {
      if (result.status === 'fulfilled') result.value.qmp[Symbol.dispose]();
    }
  }

  #keep(
    vmId: string,
    qmp: Qmp,
    attached: Promise<Attached>,
    settled: Promise<void>,
  ): Promise<Attached> {
    // Whoever has to wait for it is told; for all others the next agent tries again.
    settled.catch(() => undefined);
    this.#held.set(vmId, attached);
    const forget = () => {
      if (this.#held.get(vmId) === attached) this.#held.delete(vmId);
    };
    attached.catch(forget);
    void qmp.closed.then(forget);
    return attached;
  }

  async #connect(folder: GuestFolder): Promise<Attached | undefined> {
    try {
      const qmp = await Qmp.connect(folder.qmp);
      const { ended, settled } = await adopt(folder, qmp).catch((error: unknown) => {
        qmp[Symbol.dispose]();
        throw error;
      });
      return ended ? undefined : await this.hold(folder, qmp, settled);
    } catch (error) {
      if (!(error instanceof QmpUnreachable)) throw error;
      if ((await qemuPid(folder)) === undefined) return undefined;
      throw new DriverError('unavailable', 'QEMU runs but does not listen on its control socket.');
    }
  }
}
