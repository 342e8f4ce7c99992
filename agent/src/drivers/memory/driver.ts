/**
 * A backend without a hypervisor, for tests: guests are files that outlive the agent, and answer
 * real SSH inside this process. Launches are instant unless a test puts something in their way.
 */
import { randomUUID } from 'node:crypto';
import { duplexPair, type Duplex } from 'node:stream';
import {
  DriverError,
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
  type LaunchStage,
} from '../driver.ts';
import { checkSnapshotName, checkVmId } from '../names.ts';
import { resized, restored, snapshotsOf, withoutSnapshot, withSnapshot } from './disks.ts';
import { readFile, sizeOf, writeFile } from './files.ts';
import type { GuestSystem } from './programs.ts';
import { GuestRecords, type GuestRecord } from './record.ts';
import { hostKeyLine, readSeed } from './seed.ts';
import { serveSsh } from './sshd.ts';

const CONSOLE_LINES = 100;

type Boot = (vmId: string, stage: LaunchStage, signal: AbortSignal) => Promise<void>;
type Step = (vmId: string) => Promise<void>;

/**
 * What a test puts in a guest's way. Each is awaited before the step that it is named for; what it
 * throws, the driver throws. One that waits must stop when its signal aborts.
 */
export interface MemoryFaults {
  /** At the beginning of each stage. The record of the guest exists already. */
  readonly launch?: Boot;
  readonly start?: Boot;
  readonly stop?: Step;
  readonly suspend?: Step;
  /** Before a snapshot is taken, restored or forgotten, and before a guest gets another size. */
  readonly change?: Step;
  readonly destroy?: Step;
  readonly inspect?: Step;
  readonly dial?: Step;
}

export interface MemoryDriverOptions {
  /** Folder of its own. */
  readonly stateDir: string;
  readonly faults?: MemoryFaults;
  /** Less than it could do. */
  readonly capabilities?: readonly Capability[];
}

const CAPABILITIES: readonly Capability[] = ['suspend', 'snapshot', 'resize'];

export async function createMemoryDriver(options: MemoryDriverOptions): Promise<Driver> {
  const records = new GuestRecords(options.stateDir);
  await records.prepare();
  const { faults = {}, capabilities = CAPABILITIES } = options;
  return new MemoryDriver(records, faults, new Set(capabilities));
}

class MemoryDriver implements Driver {
  readonly name = 'memory';
  readonly capabilities: ReadonlySet<Capability>;
  readonly #records: GuestRecords;
  readonly #faults: MemoryFaults;
  /** The guests' ends of what was dialled. */
  readonly #connections = new Map<string, Set<Duplex>>();

  constructor(records: GuestRecords, faults: MemoryFaults, capabilities: ReadonlySet<Capability>) {
    this.capabilities = capabilities;
    this.#records = records;
    this.#faults = faults;
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
    if (spec.memoryMiB < spec.image.minMemoryMiB) {
      throw new DriverError(
        'failed',
        `${spec.image.id} needs ${spec.image.minMemoryMiB} MiB of memory.`,
      );
    }
    stopIfAborted(context.signal);
    await this.#records.create(spec.vmId, {
      state: 'stopped',
      size: { cpus: spec.cpus, memoryMiB: spec.memoryMiB, storageGiB: spec.storageGiB },
      minMemoryMiB: spec.image.minMemoryMiB,
      user: spec.image.user,
      hostKey: spec.hostKey,
      seed: { userData: spec.seed.userData, metaData: spec.seed.metaData },
      console: [],
      bootId: randomUUID(),
      disk: {},
      memory: {},
      snapshots: [],
    });
    context.onStage('disk');
    await reach('disk', spec.vmId, context, this.#faults.launch);
    await this.#boot(spec.vmId, context, this.#faults.launch);
  }

  async start(vmId: string, context: LaunchContext): Promise<void> {
    const { state } = await this.#records.read(vmId);
    if (state === 'running') return;
    await this.#boot(vmId, context, this.#faults.start);
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
    await this.#records.update(vmId, (record) =>
      logged({ ...record, state: 'suspended' }, 'memory guest: suspended'),
    );
    this.#hangUp(vmId);
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
    this.#hangUp(vmId);
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
    // As a socket does, a side that hears the end of the other one ends as well.
    const [near, far] = duplexPair({ allowHalfOpen: false });
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    this.#holdConnection(vmId, far);
    const seeded = readSeed(record.seed);
    serveSsh(far, seeded, this.#system(vmId, seeded.hostname, record));
    return near;
  }

  async console(vmId: string, maxBytes: number): Promise<string> {
    const record = await this.#records.read(vmId).catch((error: unknown) => {
      if (error instanceof DriverError && error.code === 'absent') return undefined;
      throw error;
    });
    const text = Buffer.from((record?.console ?? []).map((line) => `${line}\n`).join(''));
    return text.subarray(Math.max(0, text.length - maxBytes)).toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const vmId of this.#connections.keys()) this.#hangUp(vmId);
  }

  async #boot(vmId: string, context: LaunchContext, fault: Boot | undefined): Promise<void> {
    context.onStage('boot');
    await reach('boot', vmId, context, fault);
    await this.#records.update(vmId, (record) =>
      record.state === 'suspended'
        ? logged({ ...record, state: 'running' }, 'memory guest: going on')
        : logged({ ...booted(record), state: 'running' }, 'memory guest: starting'),
    );
    context.onStage('ssh');
    await reach('ssh', vmId, context, fault);
    const { seed, hostKey } = await this.#records.read(vmId);
    const seeded = readSeed(seed);
    // Its sshd is in this process: that it holds the key needs no handshake to be proved.
    if (hostKeyLine(seeded) !== withoutComment(hostKey)) {
      throw new DriverError('failed', 'The guest does not have the host key it was given.');
    }
    await this.#records.update(vmId, (record) =>
      logged(record, `memory guest: ${seeded.hostname} is ready`),
    );
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
    await this.#records.update(vmId, (record) =>
      logged({ ...record, state: 'stopped', memory: {} }, 'memory guest: powered off'),
    );
    this.#hangUp(vmId);
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

  #holdConnection(vmId: string, far: Duplex): void {
    const connections = this.#connections.get(vmId) ?? new Set();
    this.#connections.set(vmId, connections.add(far));
    far.once('close', () => {
      connections.delete(far);
      if (connections.size === 0) this.#connections.delete(vmId);
    });
  }

  #hangUp(vmId: string): void {
    for (const far of this.#connections.get(vmId) ?? []) far.destroy();
  }
}

/** @throws {DriverError} `aborted`, or what the fault throws */
async function reach(
  stage: LaunchStage,
  vmId: string,
  { signal }: LaunchContext,
  fault: Boot | undefined,
): Promise<void> {
  try {
    await fault?.(vmId, stage, signal);
  } catch (error) {
    stopIfAborted(signal);
    throw error;
  }
  stopIfAborted(signal);
}

function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new DriverError('aborted', 'The wait for the guest was stopped.');
}

function booted(record: GuestRecord): GuestRecord {
  return { ...record, bootId: randomUUID(), memory: {} };
}

function logged(record: GuestRecord, line: string): GuestRecord {
  return { ...record, console: [...record.console, line].slice(-CONSOLE_LINES) };
}

function withoutComment(keyLine: string): string {
  return keyLine.split(' ', 2).join(' ');
}
