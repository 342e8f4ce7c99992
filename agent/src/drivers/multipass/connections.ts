/** The ways to guests' SSH ports: where they are, and the streams that are open. */
import type { Socket } from 'node:net';
import { DriverError } from '../driver.ts';
import { provesHostKey } from '../readiness.ts';
import { dialTcp } from '../tcp.ts';
import type { Instances } from './instances.ts';
import { instanceName } from './names.ts';

/** The guest that was dialled does not run, and will not before it is started. */
export class NotRunning extends DriverError {
  constructor() {
    super('not_running', 'The guest does not run.');
  }
}

/**
 * Addresses are what Multipass says that a guest has, and where it does not know it says what the
 * guest says. A guest could name any machine that this one reaches: an address is the guest's once
 * it has proved its host key there, and nobody is connected to another one.
 */
export class Connections {
  readonly #instances: Instances;
  readonly #sshPort: number;
  readonly #proved = new Map<string, string>();
  readonly #open = new Map<string, Set<Socket>>();

  constructor(instances: Instances, sshPort: number) {
    this.#instances = instances;
    this.#sshPort = sshPort;
  }

  /**
   * @param hostKey OpenSSH line
   * @throws {DriverError} `absent` | `not_running` | `unavailable` | `failed` when it runs but is not
   * to be reached | `aborted`
   */
  async dial(vmId: string, hostKey: string, signal: AbortSignal): Promise<Socket> {
    const known = this.#proved.get(vmId);
    if (known !== undefined) {
      try {
        return this.#hold(vmId, await dialTcp(known, this.#sshPort, signal));
      } catch (error) {
        if (!(error instanceof DriverError) || signal.aborted) throw error;
        // Another address, or none any more: Multipass knows.
        this.#proved.delete(vmId);
      }
    }
    const address = await this.locate(vmId, signal);
    const dial = (until: AbortSignal) => this.knock(address, until);
    if (!(await provesHostKey({ dial, hostKey, signal }))) {
      throw new DriverError('failed', 'The guest does not answer at its address.');
    }
    this.trust(vmId, address);
    return this.#hold(vmId, await dialTcp(address, this.#sshPort, signal));
  }

  /** Where Multipass says that a guest is. @throws {DriverError} as `dial` */
  async locate(vmId: string, signal: AbortSignal): Promise<string> {
    const look = await this.#instances.locate(instanceName(vmId), signal);
    if (look.state === 'absent') throw new DriverError('absent', 'There is no such guest.');
    if (look.state === 'unknown') {
      throw new DriverError('unavailable', 'Multipass does not know the state of the guest.');
    }
    if (look.state !== 'running') throw new NotRunning();
    if (look.address !== undefined) return look.address;
    throw new DriverError('failed', 'The guest has no address yet.');
  }

  /** A connection to somebody, to be asked for a host key. */
  knock(address: string, signal: AbortSignal): Promise<Socket> {
    return dialTcp(address, this.#sshPort, signal);
  }

  /** The guest has proved its host key there. */
  trust(vmId: string, address: string): void {
    this.#proved.set(vmId, address);
  }

  /** Where the guest was: another one may have that address by now. */
  forget(vmId: string): void {
    this.#proved.delete(vmId);
  }

  /** A guest whose plug is pulled says no goodbye: what was connected to it ends here. */
  end(vmId: string): void {
    this.forget(vmId);
    for (const socket of this.#open.get(vmId) ?? []) socket.destroy();
  }

  #hold(vmId: string, socket: Socket): Socket {
    const open = this.#open.get(vmId) ?? new Set();
    this.#open.set(vmId, open.add(socket));
    socket.once('close', () => {
      open.delete(socket);
      if (open.size === 0 && this.#open.get(vmId) === open) this.#open.delete(vmId);
    });
    return socket;
  }
}
