/**
 * Guests on Multipass, by its command line. Multipass is the authority on what runs; what it does not
 * keep is in records. See docs/decisions/0110-multipass.md.
 */
import type { Duplex } from 'node:stream';
import { resolve } from 'node:path';
import {
  DriverError,
  unsupported,
  type Accelerator,
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
import { checkSnapshotName, checkVmId } from '../names.ts';
import { GuestRecords } from '../records.ts';
import { acceleratorOf, canForce, capabilitiesOf, findBackend, type Backend } from './backend.ts';
import { MultipassCli } from './cli.ts';
import { Connections } from './connections.ts';
import { heed, Instances, MultipassFailure, type Look } from './instances.ts';
import { Launcher } from './launcher.ts';
import { instanceName } from './names.ts';
import { discard, putToSleep, remove, shutDown } from './power.ts';
import { recordSchema, type Records } from './record.ts';
import { Sizes } from './sizes.ts';

export interface MultipassDriverOptions {
  /** Folder of its own, for the records of guests. Their disks are in Multipass' own folder. */
  readonly stateDir: string;
  readonly program?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /**
   * What guests are kept from. Multipass itself keeps them from nothing: somebody has to have put a
   * filter before its bridge.
   */
  readonly isolation?: () => Promise<DriverFacts['isolation']>;
  /** Another one than that of the platform, for tests. */
  readonly accelerator?: Accelerator;
  /** Another one than 22, for tests. */
  readonly sshPort?: number;
  /** How long a question may take, for tests. */
  readonly queryMillis?: number;
  readonly now?: () => number;
}

/** @throws {DriverError} `unavailable` when there is no Multipass, and never was one */
export async function createMultipassDriver(options: MultipassDriverOptions): Promise<Driver> {
  const { program = 'multipass', environment = process.env } = options;
  const stateDir = resolve(options.stateDir);
  const records = await GuestRecords.open(stateDir, recordSchema);
  const instances = new Instances(new MultipassCli({ program, environment }), options.queryMillis);
  const backend = await findBackend(instances, stateDir);
  return new MultipassDriver({ ...options, stateDir }, backend, instances, records);
}

class MultipassDriver implements Driver {
  readonly name = 'multipass';
  readonly capabilities: ReadonlySet<Capability>;
  readonly #options: MultipassDriverOptions;
  readonly #backend: Backend;
  readonly #instances: Instances;
  readonly #records: Records;
  readonly #connections: Connections;
  readonly #sizes: Sizes;
  readonly #launcher: Launcher;

  constructor(
    options: MultipassDriverOptions,
    backend: Backend,
    instances: Instances,
    records: Records,
  ) {
    this.#options = options;
    this.#backend = backend;
    this.capabilities = capabilitiesOf(backend);
    this.#instances = instances;
    this.#records = records;
    this.#connections = new Connections(instances, options.sshPort ?? 22);
    this.#sizes = new Sizes(instances, records);
    this.#launcher = new Launcher({
      ...{ instances, records },
      ...{ connections: this.#connections, sizes: this.#sizes },
    });
  }

  async facts(): Promise<DriverFacts> {
    const { accelerator, isolation, stateDir } = this.#options;
    return {
      arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
      accelerator: accelerator ?? acceleratorOf(process.platform),
      isolation: (await isolation?.()) ?? 'none',
      version: (await findBackend(this.#instances, stateDir)).version,
    };
  }

  async launch(spec: GuestSpec, context: LaunchContext): Promise<void> {
    await this.#launcher.launch(spec, context);
  }

  async start(vmId: string, context: LaunchContext): Promise<void> {
    const look = await this.#present(vmId);
    await this.#launcher.start(vmId, look, context);
  }

  async stop(vmId: string, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const name = instanceName(vmId);
    const { state } = await this.#present(vmId);
    if (state === 'stopped') return;
    heed(options.signal);
    const stopping = { ...options, force: canForce(this.#backend) };
    await (state === 'suspended' ? discard : shutDown)(this.#instances, name, stopping);
    this.#connections.end(vmId);
  }

  async suspend(vmId: string, signal: AbortSignal): Promise<void> {
    this.#require('suspend');
    const { state } = await this.#present(vmId);
    if (state === 'suspended') return;
    if (state === 'stopped') throw new DriverError('not_running', 'The guest does not run.');
    heed(signal);
    await putToSleep(this.#instances, instanceName(vmId), signal);
    this.#connections.end(vmId);
  }

  async snapshot(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    this.#require('snapshot');
    checkSnapshotName(snapshot);
    const name = await this.#stopped(vmId, signal);
    if ((await this.#instances.snapshots(name)).has(snapshot)) {
      throw new DriverError('exists', 'There is a snapshot of this name already.');
    }
    // Before it is asked for: the answer may be lost, and Multipass' own time be unreadable.
    const at = (this.#options.now ?? Date.now)();
    await this.#records.update(vmId, (record) => ({
      ...record,
      snapshots: { ...record.snapshots, [snapshot]: at },
    }));
    await this.#instances.change(name, ['snapshot', name, '--name', snapshot], { signal });
  }

  async restore(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    this.#require('snapshot');
    checkSnapshotName(snapshot);
    const name = await this.#stopped(vmId, signal);
    if (!(await this.#instances.snapshots(name)).has(snapshot)) {
      throw new DriverError('no_snapshot', 'There is no snapshot of this name.');
    }
    // Multipass gives back the size of that time as well.
    await this.#records.update(vmId, (record) => ({ ...record, resizing: true }));
    const target = `${name}.${snapshot}`;
    await this.#instances.change(name, ['restore', '--destructive', target], { signal });
    await this.#sizes.apply(vmId, signal);
  }

  async deleteSnapshot(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    this.#require('snapshot');
    checkSnapshotName(snapshot);
    await this.#present(vmId);
    heed(signal);
    const name = instanceName(vmId);
    try {
      const args = ['delete', '--purge', `${name}.${snapshot}`];
      await this.#instances.change(name, args, { signal });
    } catch (error) {
      if (!(error instanceof MultipassFailure) || error.complaint !== 'no_snapshot') throw error;
    }
    await this.#records.update(vmId, (record) => {
      const { [snapshot]: _gone, ...snapshots } = record.snapshots;
      return { ...record, snapshots };
    });
  }

  async snapshots(vmId: string): Promise<GuestSnapshot[]> {
    this.#require('snapshot');
    await this.#present(vmId);
    const { snapshots } = await this.#records.read(vmId);
    const seen = await this.#instances.snapshots(instanceName(vmId));
    return [...seen]
      .map(([name, createdAt]) => ({ name, createdAt: snapshots[name] ?? createdAt }))
      .sort((a, b) => a.createdAt - b.createdAt || a.name.localeCompare(b.name));
  }

  async resize(vmId: string, size: GuestSize, signal: AbortSignal): Promise<void> {
    await this.#stopped(vmId, signal);
    await this.#sizes.change(vmId, size, signal);
  }

  /**
   * Nothing: the numbers in `info` are what the guest says of itself over SSH, not what it takes of
   * this machine.
   */
  async usage(vmId: string): Promise<GuestUsage> {
    await this.#records.read(vmId);
    return {
      cpuSeconds: undefined,
      memoryBytes: undefined,
      diskBytes: undefined,
      receivedBytes: undefined,
      sentBytes: undefined,
    };
  }

  async destroy(vmId: string): Promise<void> {
    const name = instanceName(vmId);
    if (!(await this.#records.has(vmId))) return;
    await remove(this.#instances, name, await this.#wasLaunched(vmId));
    this.#connections.end(vmId);
    await this.#records.remove(vmId);
  }

  async inspect(vmId: string): Promise<GuestStatus> {
    const name = instanceName(vmId);
    if (!(await this.#records.has(vmId))) return { vmId, state: 'absent' };
    try {
      const { state } = await this.#instances.look(name);
      return { vmId, state: state === 'absent' ? await this.#unseen(vmId) : state };
    } catch (error) {
      if (error instanceof DriverError) return { vmId, state: 'unknown' };
      throw error;
    }
  }

  async list(): Promise<GuestStatus[]> {
    // Even where there is none: it shows whether Multipass can be asked.
    const sights = await this.#instances.list();
    const guests: GuestStatus[] = [];
    for (const vmId of await this.#records.ids()) {
      const sight = sights?.get(instanceName(vmId));
      // Not in the list is no proof: it may have been begun since, or the list be cut off.
      const status = sight ? { vmId, state: sight.state } : await this.inspect(vmId);
      if (status.state !== 'absent') guests.push(status);
      if (status.state !== 'running' && status.state !== 'unknown') this.#connections.forget(vmId);
    }
    return guests;
  }

  async dial(vmId: string, signal: AbortSignal): Promise<Duplex> {
    const { hostKey } = await this.#records.read(vmId);
    return this.#connections.dial(vmId, hostKey, signal);
  }

  /** Always empty: Multipass shows nobody the serial console of a guest. */
  async console(vmId: string): Promise<string> {
    checkVmId(vmId);
    return '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Multipass runs the guests; what is connected to them belongs to whoever dialled.
  }

  #require(capability: Capability): void {
    if (!this.capabilities.has(capability)) throw unsupported(this.name, capability);
  }

  /** @throws {DriverError} `absent` | `unavailable` */
  async #present(vmId: string): Promise<Exclude<Look, { state: 'absent' }>> {
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
  async #stopped(vmId: string, signal: AbortSignal): Promise<string> {
    const name = instanceName(vmId);
    const { state, deleted } = await this.#present(vmId);
    if (state !== 'stopped') throw new DriverError('not_stopped', 'The guest is not stopped.');
    heed(signal);
    if (deleted) await this.#instances.change(name, ['recover', name], { signal });
    return name;
  }

  /** Of an instance that Multipass does not show: one that is being launched comes up yet. */
  async #unseen(vmId: string): Promise<GuestState> {
    if (await this.#wasLaunched(vmId)) return 'absent';
    return (await this.#instances.isBeingPrepared(instanceName(vmId))) ? 'unknown' : 'absent';
  }

  /** Of a damaged record it is not known. */
  async #wasLaunched(vmId: string): Promise<boolean> {
    try {
      return (await this.#records.read(vmId)).launched;
    } catch (error) {
      if (error instanceof DriverError) return false;
      throw error;
    }
  }
}
