/**
 * A backend without a hypervisor, for tests: guests are files that outlive the agent, and answer
 * real SSH inside this process. Launches are instant unless a test puts something in their way.
 */
import { duplexPair, type Duplex } from 'node:stream';
import {
  DriverError,
  unsupported,
  type Capability,
  type Driver,
  type DriverFacts,
  type GuestSnapshot,
  type GuestSpec,
  type GuestState,
  type GuestStatus,
  type GuestUsage,
  type LaunchContext,
  type LaunchStage,
} from '../driver.ts';
import type { GuestSystem } from './programs.ts';
import { checkVmId, GuestRecords, type GuestRecord } from './record.ts';
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
  readonly destroy?: Step;
  readonly inspect?: Step;
  readonly dial?: Step;
}

export interface MemoryDriverOptions {
  /** Folder of its own. */
  readonly stateDir: string;
  readonly faults?: MemoryFaults;
}

export async function createMemoryDriver(options: MemoryDriverOptions): Promise<Driver> {
  const records = new GuestRecords(options.stateDir);
  await records.prepare();
  return new MemoryDriver(records, options.faults ?? {});
}

class MemoryDriver implements Driver {
  readonly name = 'memory';
  readonly capabilities: ReadonlySet<Capability> = new Set();
  readonly #records: GuestRecords;
  readonly #faults: MemoryFaults;
  /** The guests' ends of what was dialled. */
  readonly #connections = new Map<string, Set<Duplex>>();

  constructor(records: GuestRecords, faults: MemoryFaults) {
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
      user: spec.image.user,
      hostKey: spec.hostKey,
      seed: { userData: spec.seed.userData, metaData: spec.seed.metaData },
      console: [],
      files: {},
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

  async stop(vmId: string): Promise<void> {
    const { state } = await this.#records.read(vmId);
    if (state === 'stopped') return;
    await this.#faults.stop?.(vmId);
    await this.#powerOff(vmId);
  }

  async suspend(): Promise<void> {
    throw unsupported(this.name, 'suspend');
  }

  async snapshot(): Promise<void> {
    throw unsupported(this.name, 'snapshot');
  }

  async restore(): Promise<void> {
    throw unsupported(this.name, 'snapshot');
  }

  async deleteSnapshot(): Promise<void> {
    throw unsupported(this.name, 'snapshot');
  }

  async snapshots(): Promise<GuestSnapshot[]> {
    throw unsupported(this.name, 'snapshot');
  }

  async resize(): Promise<void> {
    throw unsupported(this.name, 'resize');
  }

  async usage(): Promise<GuestUsage> {
    return {
      cpuSeconds: undefined,
      memoryBytes: undefined,
      diskBytes: undefined,
      receivedBytes: undefined,
      sentBytes: undefined,
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
    serveSsh(far, seeded, this.#system(vmId, seeded.hostname, record.user));
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
      logged({ ...record, state: 'running' }, 'memory guest: starting'),
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
      logged({ ...record, state: 'stopped' }, 'memory guest: powered off'),
    );
    this.#hangUp(vmId);
  }

  #system(vmId: string, hostname: string, user: string): GuestSystem {
    return {
      hostname,
      user,
      readFile: async (path) => {
        const { files } = await this.#records.read(vmId);
        const content = Object.hasOwn(files, path) ? files[path] : undefined;
        return content === undefined ? undefined : Buffer.from(content, 'base64');
      },
      writeFile: (path, content) =>
        this.#records.update(vmId, (record) => ({
          ...record,
          files: { ...record.files, [path]: content.toString('base64') },
        })),
      powerOff: () => this.#powerOff(vmId),
    };
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

function logged(record: GuestRecord, line: string): GuestRecord {
  return { ...record, console: [...record.console, line].slice(-CONSOLE_LINES) };
}

function withoutComment(keyLine: string): string {
  return keyLine.split(' ', 2).join(' ');
}
