/** From a folder to a guest that answers SSH. */
import { rename, rm } from 'node:fs/promises';
import { DriverError, type Accelerator, type GuestSpec, type LaunchContext } from '../driver.ts';
import type { Attachments } from './attachments.ts';
import { qemuArguments } from './command.ts';
import { createGuestFolder, readRecord, type GuestFolder } from './folder.ts';
import { checkFit, writeGuest } from './guest.ts';
import { PROGRAM, qemuVersion, usableAccelerator } from './host.ts';
import { seedIso } from './iso.ts';
import type { Connection, GuestNetwork } from './network/network.ts';
import { startQemu } from './process.ts';
import { waitUntilReady } from './readiness.ts';
import { ensureTemplate, templateRecord } from './template.ts';

export interface LauncherOptions {
  readonly allowEmulation: boolean;
  readonly network: GuestNetwork;
  readonly attachments: Attachments;
  /** Folder of templates, see template.ts. */
  readonly templates: string | undefined;
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
    await writeGuest(folder, spec, iso);
    const connection = await this.#connect(folder, context);
    const state = await this.#template(spec, iso.length, accelerator, connection);
    await this.#boot(folder, { accelerator, connection, state }, context);
  }

  async start(folder: GuestFolder, context: LaunchContext): Promise<void> {
    await readRecord(folder);
    if (await this.#options.attachments.attach(folder)) return this.#awaitReady(folder, context);
    const accelerator = await usableAccelerator(this.#options.allowEmulation);
    const connection = await this.#connect(folder, context);
    await this.#boot(folder, { accelerator, connection, state: undefined }, context);
  }

  #connect({ vmId }: GuestFolder, { signal }: LaunchContext): Promise<Connection> {
    return this.#options.network.open(vmId, { signal });
  }

  async #boot(
    folder: GuestFolder,
    { accelerator, connection, state }: Start,
    context: LaunchContext,
  ): Promise<void> {
    context.onStage('boot');
    const stored = await readRecord(folder);
    const record = state === undefined ? stored : templateRecord(stored);
    await rename(folder.console, `${folder.console}.previous`).catch(ignoreMissing);
    await rm(folder.qmp, { force: true });
    const network = connection.arguments;
    const restore = state !== undefined;
    const sandbox = process.platform === 'linux';
    const args = qemuArguments({ folder, record, accelerator, network, restore, sandbox });
    const qmp = await startQemu({
      command: connection.wrap([PROGRAM, ...args]),
      folder,
      signal: context.signal,
      ...(state === undefined ? {} : { state }),
    }).catch(async (error: unknown) => {
      await this.#options.network.close(folder.vmId);
      throw error;
    });
    await this.#options.attachments.hold(folder.vmId, qmp);
    await this.#awaitReady(folder, context);
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

  async #awaitReady(folder: GuestFolder, context: LaunchContext): Promise<void> {
    const [record, attached] = await Promise.all([
      readRecord(folder),
      this.#options.attachments.attach(folder),
    ]);
    if (!attached) throw new DriverError('failed', 'The guest ended while it was starting.');
    context.onStage('ssh');
    await waitUntilReady({
      endpoint: attached.endpoint,
      console: folder.console,
      readyMarker: record.readyMarker,
      hostKey: record.hostKey,
      ended: attached.qmp.closed,
      signal: context.signal,
    });
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
