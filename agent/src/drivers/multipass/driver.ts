/**
 * Guests on Multipass, by its command line. Multipass is the authority on what runs; what it does not
 * keep is in records. See docs/decisions/0110-multipass.md.
 */
import type { Duplex } from 'node:stream';
import { resolve } from 'node:path';
import {
  DriverError,
  stopIfAborted,
  unsupported,
  type Accelerator,
  type Capability,
  type Driver,
  type DriverFacts,
  type GuestSize,
  type GuestSnapshot,
  type GuestSpec,
  type GuestStatus,
  type GuestUsage,
  type LaunchContext,
} from '../driver.ts';
import { NO_CONSOLE, type ConsolePart } from '../console.ts';
import { checkSnapshotName, checkVmId } from '../names.ts';
import { GuestRecords } from '../records.ts';
import { acceleratorOf, canForce, capabilitiesOf, findBackend, type Backend } from './backend.ts';
import { MultipassCli } from './cli.ts';
import { Connections } from './connections.ts';
import { Instances } from './instances.ts';
import { Launcher } from './launcher.ts';
import { instanceName } from './names.ts';
import { discard, putToSleep, remove, shutDown } from './power.ts';
import { Presence } from './presence.ts';
import { recordSchema, type Records } from './record.ts';
import { Sizes } from './sizes.ts';
import { Snapshots } from './snapshots.ts';

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
  readonly #presence: Presence;
  readonly #sizes: Sizes;
  readonly #snapshots: Snapshots;
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
    this.#presence = new Presence(instances, records);
    this.#sizes = new Sizes(instances, records);
    this.#snapshots = new Snapshots({
      ...{ instances, records, presence: this.#presence, sizes: this.#sizes },
      now: options.now ?? Date.now,
    });
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
    const look = await this.#presence.require(vmId);
    await this.#launcher.start(vmId, look, context);
  }

  async stop(vmId: string, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const name = instanceName(vmId);
    const { state } = await this.#presence.require(vmId);
    if (state === 'stopped') return;
    stopIfAborted(options.signal);
    const stopping = { ...options, force: canForce(this.#backend) };
    await (state === 'suspended' ? discard : shutDown)(this.#instances, name, stopping);
    this.#connections.end(vmId);
  }

  async suspend(vmId: string, signal: AbortSignal): Promise<void> {
    this.#require('suspend');
    const { state } = await this.#presence.require(vmId);
    if (state === 'suspended') return;
    if (state === 'stopped') throw new DriverError('not_running', 'The guest does not run.');
    stopIfAborted(signal);
    await putToSleep(this.#instances, instanceName(vmId), signal);
    this.#connections.end(vmId);
  }

  async snapshot(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    this.#require('snapshot');
    checkSnapshotName(snapshot);
    await this.#snapshots.take(vmId, snapshot, signal);
  }

  async restore(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    this.#require('snapshot');
    checkSnapshotName(snapshot);
    await this.#snapshots.restore(vmId, snapshot, signal);
  }

  async deleteSnapshot(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    this.#require('snapshot');
    checkSnapshotName(snapshot);
    await this.#snapshots.delete(vmId, snapshot, signal);
  }

  async snapshots(vmId: string): Promise<GuestSnapshot[]> {
    this.#require('snapshot');
    return this.#snapshots.list(vmId);
  }

  async resize(vmId: string, size: GuestSize, signal: AbortSignal): Promise<void> {
    await this.#presence.requireStopped(vmId, signal);
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
    await remove(this.#instances, name, await this.#presence.wasLaunched(vmId));
    this.#connections.end(vmId);
    await this.#records.remove(vmId);
  }

  async inspect(vmId: string): Promise<GuestStatus> {
    return { vmId, state: await this.#presence.stateOf(vmId) };
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
  async console(vmId: string): Promise<ConsolePart> {
    checkVmId(vmId);
    return NO_CONSOLE;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Multipass runs the guests; what is connected to them belongs to whoever dialled.
  }

  #require(capability: Capability): void {
    if (!this.capabilities.has(capability)) throw unsupported(this.name, capability);
  }
}
