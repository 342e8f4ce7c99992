/** Guests on QEMU: one process and one folder each. What runs is what answers on its control socket. */
import { resolve } from 'node:path';
import {
  DriverError,
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
import type { ConsolePart } from '../console.ts';
import { checkSnapshotName } from '../names.ts';
import { Attachments } from './attachments.ts';
import { openConfinement, type Confinement } from './confinement/confinement.ts';
import { readConsole } from './console.ts';
import { deleteSnapshot, diskInfo, resizeGuest, restoreSnapshot, takeSnapshot } from './disk.ts';
import {
  guestExists,
  guestFolder,
  guestIds,
  prepareStateDir,
  removeGuestFolder,
  type GuestFolder,
} from './folder.ts';
import { hostAccelerator, qemuVersion } from './host.ts';
import { Launcher } from './launcher.ts';
import type { GuestNetwork } from './network/network.ts';
import { restrictedNetwork } from './network/restricted.ts';
import { pressPowerButton, pullPlug } from './power.ts';
import { readRecord } from './record.ts';
import { SpaceWatch } from './space.ts';
import { requireStopped, stateOf } from './state.ts';
import { discardMemory, type AtStep } from './suspend.ts';
import { startUpkeep } from './upkeep.ts';
import { hostUsage } from './usage.ts';

export interface QemuDriverOptions {
  /** Folder of its own; one folder for each guest below it. */
  readonly stateDir: string;
  /** Emulated guests are some twenty times slower: for tests and demonstrations. */
  readonly allowEmulation: boolean;
  readonly network?: GuestNetwork;
  /** Gives disks all of their room at once, instead of as they grow. */
  readonly reserveDisk?: boolean;
  /** Folder of templates: guests start warm. For tests alone, see template.ts. */
  readonly templates?: string;
  /** For tests, which end the process there. */
  readonly atSuspendStep?: AtStep;
}

export async function createQemuDriver(options: QemuDriverOptions): Promise<Driver> {
  // QEMU runs in the folder of its guest, where a relative path would lead elsewhere.
  const stateDir = resolve(options.stateDir);
  await prepareStateDir(stateDir);
  const confinement = await openConfinement(stateDir);
  const driver = new QemuDriver({ ...options, stateDir, confinement });
  await driver.sweep();
  return driver;
}

class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly capabilities: ReadonlySet<Capability> = new Set(['suspend', 'snapshot', 'resize']);
  readonly #stateDir: string;
  readonly #network: GuestNetwork;
  readonly #confinement: Confinement;
  readonly #attachments: Attachments;
  readonly #launcher: Launcher;
  readonly #upkeep: Disposable;

  constructor(options: QemuDriverOptions & { readonly confinement: Confinement }) {
    const { stateDir, allowEmulation, network = restrictedNetwork, templates } = options;
    const { confinement, reserveDisk = false, atSuspendStep: atStep = async () => {} } = options;
    const space = new SpaceWatch();
    const attachments = new Attachments(network, space);
    this.#stateDir = stateDir;
    this.#network = network;
    this.#confinement = confinement;
    this.#attachments = attachments;
    this.#launcher = new Launcher({
      allowEmulation,
      network,
      confinement,
      attachments,
      templates,
      atStep,
      reserveDisk,
    });
    this.#upkeep = startUpkeep(stateDir, attachments, space);
  }

  /** Before anybody can start a guest: takes up the networks of an earlier agent's. */
  async sweep(): Promise<void> {
    const guests = await this.list();
    // One that cannot be asked may well run.
    const isRunning = ({ state }: GuestStatus) => state === 'running' || state === 'unknown';
    await this.#network.sweep(
      guests.map((guest) => ({ vmId: guest.vmId, running: isRunning(guest) })),
    );
    await this.#confinement.sweep(new Set(guests.filter(isRunning).map(({ vmId }) => vmId)));
  }

  async facts(): Promise<DriverFacts> {
    const [version, accelerator] = await Promise.all([qemuVersion(), hostAccelerator()]);
    const { isolation } = this.#network;
    const confinement = { cgroups: this.#confinement.cgroups };
    return { arch: 'x86_64', accelerator, isolation, version, confinement };
  }

  async launch(spec: GuestSpec, context: LaunchContext): Promise<void> {
    await this.#launcher.launch(this.#folder(spec.vmId), spec, context);
  }

  async start(vmId: string, context: LaunchContext): Promise<void> {
    await this.#launcher.start(this.#folder(vmId), context);
  }

  async stop(vmId: string, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    const attached = await this.#attachments.attach(folder);
    if (attached && !(await pressPowerButton(folder, attached.qmp, options))) {
      if (options.signal.aborted) {
        throw new DriverError('aborted', 'The wait for the shutdown was stopped.');
      }
      await pullPlug(folder, attached.qmp);
    }
    await discardMemory(folder);
    await this.#close(vmId);
  }

  async suspend(vmId: string, signal: AbortSignal): Promise<void> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    await this.#launcher.suspend(folder, signal);
    await this.#close(vmId);
  }

  async snapshot(vmId: string, name: string, signal: AbortSignal): Promise<void> {
    checkSnapshotName(name);
    await takeSnapshot(await this.#stopped(vmId, signal), name);
  }

  async restore(vmId: string, name: string, signal: AbortSignal): Promise<void> {
    checkSnapshotName(name);
    await restoreSnapshot(await this.#stopped(vmId, signal), name);
  }

  async deleteSnapshot(vmId: string, name: string, signal: AbortSignal): Promise<void> {
    checkSnapshotName(name);
    await deleteSnapshot(await this.#stopped(vmId, signal), name);
  }

  async snapshots(vmId: string): Promise<GuestSnapshot[]> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    return [...(await diskInfo(folder)).snapshots];
  }

  async resize(vmId: string, size: GuestSize, signal: AbortSignal): Promise<void> {
    await resizeGuest(await this.#stopped(vmId, signal), size);
  }

  async usage(vmId: string): Promise<GuestUsage> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    const usage = await hostUsage(folder);
    // The network counts on when the guest has ended; of a stopped one only the disk is known.
    const traffic = usage.cpuSeconds === undefined ? undefined : await this.#network.traffic(vmId);
    return {
      ...usage,
      receivedBytes: traffic?.receivedBytes,
      sentBytes: traffic?.sentBytes,
    };
  }

  async destroy(vmId: string): Promise<void> {
    const folder = this.#folder(vmId);
    if (!(await guestExists(folder))) return this.#network.forget(vmId);
    const attached = await this.#attachments.attach(folder).catch((error: unknown) => {
      // Whatever is wrong with its control socket, the process itself can still be ended.
      if (error instanceof DriverError) return undefined;
      throw error;
    });
    await pullPlug(folder, attached?.qmp);
    await this.#network.forget(vmId);
    await this.#confinement.close(vmId);
    await removeGuestFolder(folder);
  }

  async inspect(vmId: string): Promise<GuestStatus> {
    return { vmId, state: await stateOf(this.#folder(vmId), this.#attachments) };
  }

  async list(): Promise<GuestStatus[]> {
    const ids = await guestIds(this.#stateDir);
    return Promise.all(ids.map((vmId) => this.inspect(vmId)));
  }

  async dial(vmId: string, signal: AbortSignal) {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    const attached = await this.#attachments.attach(folder);
    if (!attached) throw new DriverError('not_running', 'The guest does not run.');
    return attached.endpoint.dial(signal);
  }

  async console(vmId: string, maxBytes: number, after?: number): Promise<ConsolePart> {
    return readConsole(this.#folder(vmId), maxBytes, after);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#upkeep[Symbol.dispose]();
    await this.#attachments[Symbol.asyncDispose]();
    await this.#confinement.release();
  }

  #folder(vmId: string): GuestFolder {
    return guestFolder(this.#stateDir, vmId);
  }

  /** What is to be removed when a guest has ended, and is made again when it starts. */
  async #close(vmId: string): Promise<void> {
    await this.#network.close(vmId);
    await this.#confinement.close(vmId);
  }

  /** @throws {DriverError} as `requireStopped` */
  async #stopped(vmId: string, signal: AbortSignal): Promise<GuestFolder> {
    const folder = this.#folder(vmId);
    await requireStopped(folder, this.#attachments, signal);
    return folder;
  }
}
