/** From a folder to a guest that answers SSH. */
import { rename, rm } from 'node:fs/promises';
import { DriverError, type Accelerator, type GuestSpec, type LaunchContext } from '../driver.ts';
import type { Attachments } from './attachments.ts';
import { qemuArguments } from './command.ts';
import { settleDisk } from './disk.ts';
import { createGuestFolder, type GuestFolder } from './folder.ts';
import { checkFit, writeGuest } from './guest.ts';
import { PROGRAM, qemuVersion, usableAccelerator } from './host.ts';
import { seedIso } from './iso.ts';
import type { Connection, GuestNetwork } from './network/network.ts';
import { pullPlug } from './power.ts';
import { startQemu } from './process.ts';
import type { Qmp } from './qmp.ts';
import { waitUntilReady } from './readiness.ts';
import { readRecord } from './record.ts';
import { discardMemory, resumeGuest, type AtStep } from './suspend.ts';
import { ensureTemplate, templateRecord } from './template.ts';

export interface LauncherOptions {
  readonly allowEmulation: boolean;
  readonly network: GuestNetwork;
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

  #connect({ vmId }: GuestFolder, { signal }: LaunchContext): Promise<Connection> {
    return this.#options.network.open(vmId, { signal });
  }

  async #boot(folder: GuestFolder, start: Start, context: LaunchContext): Promise<void> {
    context.onStage('boot');
    await rename(folder.console, `${folder.console}.previous`).catch(ignoreMissing);
    const qmp = await this.#startQemu(folder, start, context.signal);
    await this.#options.attachments.hold(folder.vmId, qmp);
    await this.#awaitReady(folder, context);
  }

  async #resume(folder: GuestFolder, start: Start, context: LaunchContext): Promise<void> {
    context.onStage('boot');
    const { attachments, network, atStep } = this.#options;
    const { signal } = context;
    const qmp = await this.#startQemu(folder, start, signal);
    try {
      await attachments.hold(folder.vmId, qmp);
      await resumeGuest(folder, qmp, { signal, atStep });
    } catch (error) {
      await pullPlug(folder, qmp);
      await network.close(folder.vmId);
      throw error;
    }
    await this.#awaitReady(folder, context, true);
  }

  async #startQemu(
    folder: GuestFolder,
    { accelerator, connection, state }: Start,
    signal: AbortSignal,
  ): Promise<Qmp> {
    const stored = await readRecord(folder);
    const record = state === undefined ? stored : templateRecord(stored);
    await rm(folder.qmp, { force: true });
    const args = qemuArguments({
      ...{ folder, record, accelerator, network: connection.arguments },
      restore: state !== undefined,
      paused: stored.suspended !== undefined,
      sandbox: process.platform === 'linux',
    });
    return startQemu({
      command: connection.wrap([PROGRAM, ...args]),
      folder,
      signal,
      ...(state === undefined ? {} : { state }),
    }).catch(async (error: unknown) => {
      await this.#options.network.close(folder.vmId);
      throw error;
    });
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
