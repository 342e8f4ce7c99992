/** From a spec, or a guest that does not run, to a guest that answers SSH: instant, but for faults. */
import { randomUUID } from 'node:crypto';
import {
  DriverError,
  stopIfAborted,
  type GuestSpec,
  type LaunchContext,
  type LaunchStage,
} from '../driver.ts';
import type { GuestRecords } from '../records.ts';
import type { BootFault, MemoryFaults } from './faults.ts';
import { made, poweredOn, ready } from './power.ts';
import type { GuestRecord } from './record.ts';
import { hostKeyLine, readSeed } from './seed.ts';

export class Launcher {
  readonly #records: GuestRecords<GuestRecord>;
  readonly #faults: Pick<MemoryFaults, 'launch' | 'start'>;

  constructor(records: GuestRecords<GuestRecord>, faults: Pick<MemoryFaults, 'launch' | 'start'>) {
    this.#records = records;
    this.#faults = faults;
  }

  /** @throws {DriverError} `failed` | `exists` | `aborted` */
  async launch(spec: GuestSpec, context: LaunchContext): Promise<void> {
    const { vmId, image, memoryMiB } = spec;
    if (memoryMiB < image.minMemoryMiB) {
      throw new DriverError('failed', `${image.id} needs ${image.minMemoryMiB} MiB of memory.`);
    }
    stopIfAborted(context.signal);
    await this.#records.create(vmId, { ...made(spec), bootId: randomUUID() });
    await reach('disk', vmId, context, this.#faults.launch);
    await this.#boot(vmId, context, this.#faults.launch);
  }

  /** @throws {DriverError} `absent` | `failed` | `aborted` */
  async start(vmId: string, context: LaunchContext): Promise<void> {
    const { state } = await this.#records.read(vmId);
    if (state === 'running') return;
    await this.#boot(vmId, context, this.#faults.start);
  }

  async #boot(vmId: string, context: LaunchContext, fault: BootFault | undefined): Promise<void> {
    await reach('boot', vmId, context, fault);
    await this.#records.update(vmId, (record) => poweredOn(record, randomUUID()));
    await reach('ssh', vmId, context, fault);
    const { seed, hostKey } = await this.#records.read(vmId);
    const seeded = readSeed(seed);
    // Its sshd is in this process: that it holds the key needs no handshake to be proved.
    if (hostKeyLine(seeded) !== withoutComment(hostKey)) {
      throw new DriverError('failed', 'The guest does not have the host key it was given.');
    }
    await this.#records.update(vmId, (record) => ready(record, seeded.hostname));
  }
}

/** @throws {DriverError} `aborted`, or what the fault throws */
async function reach(
  stage: LaunchStage,
  vmId: string,
  context: LaunchContext,
  fault: BootFault | undefined,
): Promise<void> {
  const { signal } = context;
  context.onStage(stage);
  try {
    await fault?.(vmId, stage, signal);
  } catch (error) {
    stopIfAborted(signal);
    throw error;
  }
  stopIfAborted(signal);
}

function withoutComment(keyLine: string): string {
  return keyLine.split(' ', 2).join(' ');
}
