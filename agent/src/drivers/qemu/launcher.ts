/** From a folder to a guest that answers SSH, and from one that runs to one that is suspended. */
import { rename, rm } from 'node:fs/promises';
import {
  DriverError,
  stopIfAborted,
  type Accelerator,
  type GuestSpec,
  type LaunchContext,
} from '../driver.ts';
import type { Attachments } from './attachments.ts';
import { qemuArguments } from './command.ts';
import { settleDisk } from './disk.ts';
import type { Confinement } from './confinement/confinement.ts';
import { previousOf } from './console.ts';
import { closeRun, createGuestFolder, handOver, type GuestFolder } from './folder.ts';
import { checkFit, writeGuest } from './guest.ts';
import { PROGRAM, qemuVersion, usableAccelerator } from './host.ts';
import { seedIso } from './iso.ts';
import type { Connection, GuestNetwork } from './network/network.ts';
import { pullPlug } from './power.ts';
import { givenFiles } from './files.ts';
import { startQemu } from './process.ts';
import type { Qmp } from './qmp.ts';
import { waitUntilReady } from './readiness.ts';
import { readRecord } from './record.ts';
import { adopt, discardMemory, resumeGuest, suspendGuest, type AtStep } from './suspend.ts';
import { ensureTemplate, templateRecord } from './template.ts';

export interface LauncherOptions {
  readonly allowEmulation: boolean;
  readonly network: GuestNetwork;
  readonly confinement: Confinement;
  readonly attachments: Attachments;
  /** Folder of templates, see template.ts. */
  readonly templates: string | undefined;
  readonly reserveDisk: boolean;
  readonly atStep: AtStep;
}

/** How QEMU is started this time. */
interface Start {
  readonly accelerator: Exclude<Accelerator, 'none'>;
  readonly connection: Connection;
  /** A saved state to go on from. */
  readonly state: string | undefined;
}

export class Launcher {
  readonly #options: LauncherOptions;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  async launch(folder: GuestFolder, spec: GuestSpec, context: LaunchContext): Promise<void> {
    const accelerator = await usableAccelerator(this.#options.allowEmulation);
    await checkFit(spec);
    await createGuestFolder(folder);
    context.onStage('disk');
    const iso = seedIso({
      'user-data': spec.seed.userData,
      'meta-data': spec.seed.metaData,
      'network-config': await this.#options.network.document(spec.vmId),
    });
    await writeGuest(folder, spec, iso, this.#options.reserveDisk);
    const connection = await this.#connect(folder, context);
    const state = await this.#template(spec, iso.length, accelerator, connection);
    await this.#boot(folder, { accelerator, connection, state }, context);
  }

  async start(folder: GuestFolder, context: LaunchContext): Promise<void> {
    if (await this.#options.attachments.attach(folder)) return this.#awaitReady(folder, context);
    const { suspended } = await readRecord(folder);
    const accelerator = await usableAccelerator(this.#options.allowEmulation);
    const connection = await this.#connect(folder, context);
    const start = { accelerator, connection, state: undefined };
    if (suspended) return this.#resume(folder, start, context);
    await discardMemory(folder);
    await settleDisk(folder);
    await this.#boot(folder, start, context);
  }

  /**
   * Leaves a suspended guest alone.
   * @throws {DriverError} `not_running` | `failed` | `aborted`
   */
  async suspend(folder: GuestFolder, signal: AbortSignal): Promise<void> {
    const { attachments, atStep } = this.#options;
    const attached = await attachments.attach(folder);
    if (!attached) {
      if ((await readRecord(folder)).suspended) return;
      throw new DriverError('not_running', 'The guest does not run.');
    }
    await attached.settled;
    stopIfAborted(signal);
    const { qmp } = attached;
    try {
      await suspendGuest(folder, qmp, { signal, atStep });
    } catch (error) {
      // As when an agent finds what another one has left; an abort does not wait for it.
      const settled = adopt(folder, qmp).then((adopted) => adopted.settled);
      attachments.settle(folder.vmId, attached, settled);
      throw error;
    }
  }

  #connect({ vmId }: GuestFolder, { signal }: LaunchContext): Promise<Connection> {
    const user = this.#options.confinement.user(vmId);
    return this.#options.network.open(vmId, { user, signal });
  }

  async #boot(folder: GuestFolder, start: Start, context: LaunchContext): Promise<void> {
    context.onStage('boot');
    await rename(folder.console, previousOf(folder.console)).catch(ignoreMissing);
    const qmp = await this.#startQemu(folder, start, context.signal);
    await this.#options.attachments.hold(folder, qmp);
    await this.#awaitReady(folder, context);
  }

  async #resume(folder: GuestFolder, start: Start, context: LaunchContext): Promise<void> {
    context.onStage('boot');
    const { attachments, network, confinement, atStep } = this.#options;
    const { signal } = context;
    const qmp = await this.#startQemu(folder, start, signal);
    try {
      await attachments.hold(folder, qmp);
      await resumeGuest(folder, qmp, { signal, atStep });
    } catch (error) {
      await pullPlug(folder, qmp);
      await network.close(folder.vmId);
      await confinement.close(folder.vmId);
      throw error;
    }
    await this.#awaitReady(folder, context, true);
  }

  async #startQemu(
    folder: GuestFolder,
    { accelerator, connection, state }: Start,
    signal: AbortSignal,
  ): Promise<Qmp> {
    const { confinement, network } = this.#options;
    const { vmId } = folder;
    const stored = await readRecord(folder);
    const record = state === undefined ? stored : templateRecord(stored);
    const user = confinement.user(vmId);
    const files = givenFiles(record, { state, apart: user !== undefined });
    const args = qemuArguments({
      ...{ folder, record, accelerator, network: connection.arguments },
      ...{ restore: files.state, open: files.open },
      paused: stored.suspended !== undefined,
      sandbox: process.platform === 'linux',
    });
    try {
      const confined = await confinement.open(vmId, { size: record, accelerator });
      await handOver(folder, user);
      await rm(folder.qmp, { force: true });
      const command = confined(connection.wrap([PROGRAM, ...args]));
      const qmp = await startQemu({ command, folder, signal, files: files.paths });
      await closeRun(folder, user);
      return qmp;
    } catch (error) {
      await network.close(vmId);
      await confinement.close(vmId);
      throw error;
    }
  }

  /** @returns a saved state to start from, where templates are in use and fit this guest */
  async #template(
    spec: GuestSpec,
    seedBytes: number,
    accelerator: Exclude<Accelerator, 'none'>,
    connection: Connection,
  ): Promise<string | undefined> {
    const { templates } = this.#options;
    if (templates === undefined) return undefined;
    return ensureTemplate(templates, spec, {
      program: PROGRAM,
      version: await qemuVersion(),
      accelerator,
      connection,
      seedBytes,
    });
  }

  /** @param resumed it has come up long ago, and says so no more */
  async #awaitReady(folder: GuestFolder, context: LaunchContext, resumed = false): Promise<void> {
    const [record, attached] = await Promise.all([
      readRecord(folder),
      this.#options.attachments.attach(folder),
    ]);
    if (!attached) throw new DriverError('failed', 'The guest ended while it was starting.');
    context.onStage('ssh');
    await waitUntilReady({
      endpoint: attached.endpoint,
      console: folder.console,
      readyMarker: resumed ? undefined : record.readyMarker,
      hostKey: record.hostKey,
      ended: attached.qmp.closed,
      signal: context.signal,
    });
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
