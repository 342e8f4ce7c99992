/** The size of a guest. Multipass changes it field by field, of a stopped instance. */
import { DriverError, type GuestSize } from '../driver.ts';
import { MultipassFailure, type Instances } from './instances.ts';
import { instanceName } from './names.ts';
import type { Records } from './record.ts';

/** The disk comes first: it is what can fail. */
const FIELDS = ['storageGiB', 'memoryMiB', 'cpus'] as const satisfies (keyof GuestSize)[];
const SETTINGS = {
  storageGiB: (value: number) => `disk=${value}G`,
  memoryMiB: (value: number) => `memory=${value}M`,
  cpus: (value: number) => `cpus=${value}`,
} as const;

export class Sizes {
  readonly #instances: Instances;
  readonly #records: Records;

  constructor(instances: Instances, records: Records) {
    this.#instances = instances;
    this.#records = records;
  }

  /**
   * @param vmId of a guest that is stopped
   * @throws {DriverError} `failed` | `not_stopped`; the record tells how far it came
   */
  async change(vmId: string, size: GuestSize, signal: AbortSignal): Promise<void> {
    const { storageGiB, minMemoryMiB } = await this.#records.read(vmId);
    if (size.storageGiB < storageGiB) throw new DriverError('failed', 'A disk only grows.');
    if (size.memoryMiB < minMemoryMiB) {
      throw new DriverError('failed', `The guest needs ${minMemoryMiB} MiB of memory.`);
    }
    for (const field of FIELDS) {
      await this.#set(vmId, field, size[field], signal);
      await this.#records.update(vmId, (record) => ({ ...record, [field]: size[field] }));
    }
  }

  /**
   * Gives the instance the size of its record. Equal fields are left alone by Multipass, so that this
   * can be done again after it was cut short.
   */
  async apply(vmId: string, signal: AbortSignal): Promise<void> {
    const record = await this.#records.read(vmId);
    for (const field of FIELDS) {
      await this.#set(vmId, field, record[field], signal).catch((error: unknown) => {
        // A resize that was cut short had grown the disk: it is large enough.
        if (!(error instanceof MultipassFailure) || error.complaint !== 'shrinks') throw error;
      });
    }
    await this.#records.update(vmId, (record) => ({ ...record, resizing: false }));
  }

  async #set(
    vmId: string,
    field: keyof GuestSize,
    value: number,
    signal: AbortSignal,
  ): Promise<void> {
    const name = instanceName(vmId);
    const setting = `local.${name}.${SETTINGS[field](value)}`;
    await this.#instances.change(name, ['set', setting], { signal });
  }
}
