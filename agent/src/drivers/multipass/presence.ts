/** Which guests there are: ours are those with records, and Multipass is asked what became of them. */
import { DriverError, stopIfAborted, type GuestState } from '../driver.ts';
import { type Instances, type Look } from './instances.ts';
import { instanceName } from './names.ts';
import type { Records } from './record.ts';

export class Presence {
  readonly #instances: Instances;
  readonly #records: Records;

  constructor(instances: Instances, records: Records) {
    this.#instances = instances;
    this.#records = records;
  }

  /** Never throws what Multipass says: a guest that it cannot be asked about is `unknown`. */
  async stateOf(vmId: string): Promise<GuestState> {
    const name = instanceName(vmId);
    if (!(await this.#records.has(vmId))) return 'absent';
    try {
      const { state } = await this.#instances.look(name);
      return state === 'absent' ? await this.#unseen(vmId) : state;
    } catch (error) {
      if (error instanceof DriverError) return 'unknown';
      throw error;
    }
  }

  /** @throws {DriverError} `absent` | `unavailable` */
  async require(vmId: string): Promise<Exclude<Look, { state: 'absent' }>> {
    const name = instanceName(vmId);
    await this.#records.read(vmId);
    const look = await this.#instances.look(name);
    if (look.state !== 'absent') return look;
    throw (await this.#unseen(vmId)) === 'absent'
      ? new DriverError('absent', 'There is no such guest.')
      : new DriverError('unavailable', 'Multipass is still preparing the guest.');
  }

  /**
   * @returns the name of a guest that is stopped
   * @throws {DriverError} `absent` | `not_stopped` | `unavailable` | `aborted`
   */
  async requireStopped(vmId: string, signal: AbortSignal): Promise<string> {
    const name = instanceName(vmId);
    const { state, deleted } = await this.require(vmId);
    if (state !== 'stopped') throw new DriverError('not_stopped', 'The guest is not stopped.');
    stopIfAborted(signal);
    if (deleted) await this.#instances.change(name, ['recover', name], { signal });
    return name;
  }

  /** Whether the launch of a guest has come to its end. Of a damaged record it is not known. */
  async wasLaunched(vmId: string): Promise<boolean> {
    try {
      return (await this.#records.read(vmId)).launched;
    } catch (error) {
      if (error instanceof DriverError) return false;
      throw error;
    }
  }

  /** Of an instance that Multipass does not show: one that is being launched comes up yet. */
  async #unseen(vmId: string): Promise<'absent' | 'unknown'> {
    if (await this.wasLaunched(vmId)) return 'absent';
    return (await this.#instances.isBeingPrepared(instanceName(vmId))) ? 'unknown' : 'absent';
  }
}
