/** The ways to guests' SSH ports: where they are, and the streams that are open. */
import type { Socket } from 'node:net';
import { DriverError } from '../driver.ts';
import { dialTcp } from '../tcp.ts';
import type { Instances } from './instances.ts';
import { instanceName } from './names.ts';

/** The guest that was dialled does not run, and will not before it is started. */
export class NotRunning extends DriverError {
  constructor() {
    super('not_running', 'The guest does not run.');
  }
}

export class Connections {
  readonly #instances: Instances;
  readonly #sshPort: number;
  readonly #addresses = new Map<string, string>();
  readonly #open = new Map<string, Set<Socket>>();

  constructor(instances: Instances, sshPort: number) {
    this.#instances = instances;
    this.#sshPort = sshPort;
  }

  /**
   * @throws {DriverError} `absent` | `not_running` | `unavailable` | `failed` when it runs but takes no
   * connections | `aborted`
   */
  async dial(vmId: string, signal: AbortSignal): Promise<Socket> {
    const known = this.#addresses.get(vmId);
    if (known !== undefined) {
      try {
        return this.#hold(vmId, await dialTcp(known, this.#sshPort, signal));
      } catch (error) {
        if (!(error instanceof DriverError) || signal.aborted) throw error;
        // Another address, or none any more: Multipass knows.
        this.#addresses.delete(vmId);
      }
    }
    const address = await this.#locate(vmId, signal);
    const socket = await dialTcp(address, this.#sshPort, signal);
    this.#addresses.set(vmId, address);
    return this.#hold(vmId, socket);
  }

  /** Where the guest was: another one may have that address by now. */
  forget(vmId: string): void {
    this.#addresses.delete(vmId);
  }

  /** A guest whose plug is pulled says no goodbye: what was connected to it ends here. */
  end(vmId: string): void {
    this.#addresses.delete(vmId);
    for (const socket of this.#open.get(vmId) ?? []) socket.destroy();
  }

  async #locate(vmId: string, signal: AbortSignal): Promise<string> {
    const look = await this.#instances.locate(instanceName(vmId), signal);
    if (look.state === 'absent') throw new DriverError('absent', 'There is no such guest.');
    if (look.state === 'unknown') {
      throw new DriverError('unavailable', 'Multipass does not know the state of the guest.');
    }
    if (look.state !== 'running') throw new NotRunning();
    if (look.address !== undefined) return look.address;
    throw new DriverError('failed', 'The guest has no address yet.');
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
