/**
 * A backend without a hypervisor, for tests: guests are files that outlive the agent, and answer
 * real SSH inside this process. Launches are instant unless a test puts something in their way.
 */
import type { Duplex } from 'node:stream';
import {
  DriverError,
  stopIfAborted,
  unsupported,
  type Capability,
  type Driver,
  type DriverFacts,
  type GuestSize,
  type GuestSnapshot,
  type GuestSpec,
  type GuestState,
  type GuestStatus,
  type GuestUsage,
  type LaunchContext,
} from '../driver.ts';
import { consoleRange, NO_CONSOLE, type ConsolePart } from '../console.ts';
import { checkSnapshotName, checkVmId } from '../names.ts';
import { GuestRecords } from '../records.ts';
import { Connections } from './connections.ts';
import { resized, restored, snapshotsOf, withoutSnapshot, withSnapshot } from './disks.ts';
import type { MemoryFaults } from './faults.ts';
import { readFile, sizeOf, writeFile } from './files.ts';
import { Launcher } from './launcher.ts';
import { poweredOff, suspended } from './power.ts';
import type { GuestSystem } from './programs.ts';
import { recordSchema, type GuestRecord } from './record.ts';
import { readSeed } from './seed.ts';
import { serveSsh } from './sshd.ts';

export interface MemoryDriverOptions {
  /** Folder of its own. */
  readonly stateDir: string;
  readonly faults?: MemoryFaults;
  /** Less than it could do. */
  readonly capabilities?: readonly Capability[];
}

const CAPABILITIES: readonly Capability[] = ['suspend', 'snapshot', 'resize'];

export async function createMemoryDriver(options: MemoryDriverOptions): Promise<Driver> {
  const records = await GuestRecords.open(options.stateDir, recordSchema);
  const { faults = {}, capabilities = CAPABILITIES } = options;
  return new MemoryDriver(records, faults, new Set(capabilities));
}

class MemoryDriver implements Driver {
  readonly name = 'memory';
  readonly capabilities: ReadonlySet<Capability>;
  readonly #records: GuestRecords<GuestRecord>;
  readonly #faults: MemoryFaults;
  readonly #launcher: Launcher;
  readonly #connections = new Connections();

  constructor(
    records: GuestRecords<GuestRecord>,
    faults: MemoryFaults,
    capabilities: ReadonlySet<Capability>,
  ) {
    this.capabilities = capabilities;
    this.#records = records;
    this.#faults = faults;
    this.#launcher = new Launcher(records, faults);
  }

  async facts(): Promise<DriverFacts> {
    return {
      arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
      accelerator: 'none',
      isolation: 'restricted',
      version: '1',
    };
  }

  async launch(spec: GuestSpec, context: LaunchContext): Promise<void> {
    await this.#launcher.launch(spec, context);
  }

  async start(vmId: string, context: LaunchContext): Promise<void> {
    await this.#launcher.start(vmId, context);
  }

  async stop(vmId: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { state } = await this.#records.read(vmId);
    if (state === 'stopped') return;
    stopIfAborted(signal);
    await this.#faults.stop?.(vmId);
    await this.#powerOff(vmId);
  }

  async suspend(vmId: string, signal: AbortSignal): Promise<void> {
    this.#need('suspend');
    const { state } = await this.#records.read(vmId);
    if (state === 'suspended') return;
    if (state === 'stopped') throw new DriverError('not_running', 'The guest does not run.');
    stopIfAborted(signal);
    await this.#faults.suspend?.(vmId);
    await this.#records.update(vmId, suspended);
    this.#connections.end(vmId);
  }

  async snapshot(vmId: string, name: string, signal: AbortSignal): Promise<void> {
    this.#need('snapshot');
    checkSnapshotName(name);
    await this.#change(vmId, signal, (record) => withSnapshot(record, name, Date.now()));
  }

  async restore(vmId: string, name: string, signal: AbortSignal): Promise<void> {
    this.#need('snapshot');
    checkSnapshotName(name);
    await this.#change(vmId, signal, (record) => restored(record, name));
  }

  async deleteSnapshot(vmId: string, name: string, signal: AbortSignal): Promise<void> {
    this.#need('snapshot');
    checkSnapshotName(name);
    await this.#change(vmId, signal, (record) => withoutSnapshot(record, name));
  }

  async snapshots(vmId: string): Promise<GuestSnapshot[]> {
    this.#need('snapshot');
    return snapshotsOf(await this.#records.read(vmId));
  }

  async resize(vmId: string, size: GuestSize, signal: AbortSignal): Promise<void> {
    this.#need('resize');
    await this.#change(vmId, signal, (record) => resized(record, size));
  }

  /** It reaches nobody, and runs no instructions. */
  async usage(vmId: string): Promise<GuestUsage> {
    const { state, disk, memory, snapshots } = await this.#records.read(vmId);
    const runs = state === 'running';
    return {
      cpuSeconds: runs ? 0 : undefined,
      memoryBytes: runs ? sizeOf(memory) : undefined,
      diskBytes: snapshots.reduce((sum, kept) => sum + sizeOf(kept.disk), sizeOf(disk)),
      receivedBytes: runs ? 0 : undefined,
      sentBytes: runs ? 0 : undefined,
    };
  }

  async destroy(vmId: string): Promise<void> {
    await this.#faults.destroy?.(vmId);
    await this.#records.remove(vmId);
    this.#connections.end(vmId);
  }

  async inspect(vmId: string): Promise<GuestStatus> {
    checkVmId(vmId);
    return { vmId, state: await this.#state(vmId) };
  }

  async list(): Promise<GuestStatus[]> {
    const ids = await this.#records.ids();
    return Promise.all(ids.map((vmId) => this.inspect(vmId)));
  }

  async dial(vmId: string, signal: AbortSignal): Promise<Duplex> {
    const record = await this.#records.read(vmId);
    if (record.state !== 'running') throw new DriverError('not_running', 'The guest does not run.');
    await this.#faults.dial?.(vmId);
    stopIfAborted(signal);
    const { near, far } = this.#connections.open(vmId);
    const seeded = readSeed(record.seed);
    serveSsh(far, seeded, this.#system(vmId, seeded.hostname, record));
    return near;
  }

  async console(vmId: string, maxBytes: number, after?: number): Promise<ConsolePart> {
    const record = await this.#records.read(vmId).catch((error: unknown) => {
      if (error instanceof DriverError && error.code === 'absent') return undefined;
      throw error;
    });
    if (!record) return NO_CONSOLE;
    const text = Buffer.from(record.console.map((line) => `${line}\n`).join(''));
    const start = record.dropped;
    const { from, to } = consoleRange({ start, end: start + text.length }, maxBytes, after);
    return { bytes: text.subarray(from - start, to - start), from, epoch: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections[Symbol.dispose]();
  }

  async #state(vmId: string): Promise<GuestState> {
    try {
      await this.#faults.inspect?.(vmId);
      return (await this.#records.read(vmId)).state;
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      return error.code === 'absent' ? 'absent' : 'unknown';
    }
  }

  async #powerOff(vmId: string): Promise<void> {
    await this.#records.update(vmId, poweredOff);
    this.#connections.end(vmId);
  }

  async #change(
    vmId: string,
    signal: AbortSignal,
    change: (record: GuestRecord) => GuestRecord,
  ): Promise<void> {
    // What is not allowed is refused before anything is waited for.
    change(await this.#records.read(vmId));
    stopIfAborted(signal);
    await this.#faults.change?.(vmId);
    await this.#records.update(vmId, change);
  }

  #system(vmId: string, hostname: string, { user, size }: GuestRecord): GuestSystem {
    return {
      ...{ hostname, user, cpus: size.cpus },
      readFile: async (path) => readFile(await this.#records.read(vmId), path),
      writeFile: (path, content) =>
        this.#records.update(vmId, (record) => writeFile(record, path, content)),
      powerOff: () => this.#powerOff(vmId),
    };
  }

  #need(capability: Capability): void {
    if (!this.capabilities.has(capability)) throw unsupported(this.name, capability);
  }
}
