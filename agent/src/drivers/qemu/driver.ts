/** Guests on QEMU: one process and one folder each. What runs is what answers on its control socket. */
import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import {
  DriverError,
  unsupported,
  type Accelerator,
  type Capability,
  type Driver,
  type DriverFacts,
  type GuestSnapshot,
  type GuestSpec,
  type GuestState,
  type GuestStatus,
  type GuestUsage,
  type LaunchContext,
} from '../driver.ts';
import { chooseAccelerator, readMachineFacts } from './accelerator.ts';
import { Attachments } from './attachments.ts';
import { qemuArguments } from './command.ts';
import {
  createGuestFolder,
  guestExists,
  guestFolder,
  guestIds,
  prepareStateDir,
  readRecord,
  removeGuestFolder,
  tail,
  type GuestFolder,
} from './folder.ts';
import { boundConsole, checkFit, writeGuest } from './guest.ts';
import { seedIso } from './iso.ts';
import { restrictedNetwork, type GuestNetwork } from './network.ts';
import { pressPowerButton, pullPlug } from './power.ts';
import { startQemu } from './process.ts';
import { waitUntilReady } from './readiness.ts';
import { ensureTemplate, templateRecord } from './template.ts';

const run = promisify(execFile);
const PROGRAM = 'qemu-system-x86_64';

const CONSOLE_CHECK_MILLIS = 15_000;

export interface QemuDriverOptions {
  /** Folder of its own; one folder for each guest below it. */
  readonly stateDir: string;
  /** Emulated guests are some twenty times slower: for tests and demonstrations. */
  readonly allowEmulation: boolean;
  readonly network?: GuestNetwork;
  /** Folder of templates: guests start warm. For tests alone, see template.ts. */
  readonly templates?: string;
}

export async function createQemuDriver(options: QemuDriverOptions): Promise<Driver> {
  // QEMU runs in the folder of its guest, where a relative path would lead elsewhere.
  const stateDir = resolve(options.stateDir);
  await prepareStateDir(stateDir);
  return new QemuDriver({ ...options, stateDir });
}

class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly capabilities: ReadonlySet<Capability> = new Set();
  readonly #stateDir: string;
  readonly #allowEmulation: boolean;
  readonly #network: GuestNetwork;
  readonly #templates: string | undefined;
  readonly #attachments: Attachments;
  readonly #consoleCheck: NodeJS.Timeout;

  constructor(options: QemuDriverOptions) {
    const { stateDir, allowEmulation, network = restrictedNetwork, templates } = options;
    this.#templates = templates;
    this.#stateDir = stateDir;
    this.#allowEmulation = allowEmulation;
    this.#network = network;
    this.#attachments = new Attachments(network);
    this.#consoleCheck = setInterval(() => {
      for (const id of this.#attachments.ids) {
        // The guest may be destroyed meanwhile; whatever else it was, the next check tries again.
        boundConsole(this.#folder(id)).catch(() => undefined);
      }
    }, CONSOLE_CHECK_MILLIS).unref();
  }

  async facts(): Promise<DriverFacts> {
    if (process.arch !== 'x64') {
      throw new DriverError(
        'unavailable',
        `QEMU guests run on x86-64 machines; this one is ${process.arch}.`,
      );
    }
    const { stdout } = await run(PROGRAM, ['--version']).catch((cause: unknown) => {
      throw new DriverError('unavailable', `${PROGRAM} does not run on this machine.`, { cause });
    });
    return {
      arch: 'x86_64',
      accelerator: await this.#accelerator(),
      isolation: this.#network.isolation,
      version: /version ([\d.]+)/.exec(stdout)?.[1] ?? 'unknown',
    };
  }

  async launch(spec: GuestSpec, context: LaunchContext): Promise<void> {
    const folder = this.#folder(spec.vmId);
    const accelerator = await this.#usableAccelerator();
    await checkFit(spec);
    await createGuestFolder(folder);
    context.onStage('disk');
    const iso = seedIso({
      'user-data': spec.seed.userData,
      'meta-data': spec.seed.metaData,
      'network-config': this.#network.document(spec.vmId),
    });
    await writeGuest(folder, spec, iso);
    const state = await this.#template(spec, iso.length, accelerator);
    await this.#boot(folder, accelerator, context, state);
  }

  async start(vmId: string, context: LaunchContext): Promise<void> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    if (await this.#attachments.attach(folder)) return this.#awaitReady(folder, context);
    await this.#boot(folder, await this.#usableAccelerator(), context);
  }

  async stop(vmId: string, options: { graceMs: number; signal: AbortSignal }): Promise<void> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    const attached = await this.#attachments.attach(folder);
    if (!attached) return;
    if (await pressPowerButton(folder, attached.qmp, options)) return;
    if (options.signal.aborted) {
      throw new DriverError('aborted', 'The wait for the shutdown was stopped.');
    }
    await pullPlug(folder, attached.qmp);
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
    const folder = this.#folder(vmId);
    if (!(await guestExists(folder))) return;
    const attached = await this.#attachments.attach(folder).catch((error: unknown) => {
      // Whatever is wrong with its control socket, the process itself can still be ended.
      if (error instanceof DriverError) return undefined;
      throw error;
    });
    await pullPlug(folder, attached?.qmp);
    await removeGuestFolder(folder);
  }

  async inspect(vmId: string): Promise<GuestStatus> {
    const folder = this.#folder(vmId);
    return { vmId, state: await this.#state(folder) };
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

  async console(vmId: string, maxBytes: number): Promise<string> {
    return tail(this.#folder(vmId).console, maxBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#consoleCheck);
    await this.#attachments[Symbol.asyncDispose]();
  }

  #folder(vmId: string): GuestFolder {
    return guestFolder(this.#stateDir, vmId);
  }

  async #accelerator(): Promise<Exclude<Accelerator, 'none'>> {
    return chooseAccelerator(await readMachineFacts());
  }

  async #usableAccelerator() {
    const accelerator = await this.#accelerator();
    if (accelerator === 'tcg' && !this.#allowEmulation) {
      throw new DriverError(
        'unavailable',
        'This machine has no hardware virtualisation, and emulation is not allowed (--allow-emulation).',
      );
    }
    return accelerator;
  }

  async #boot(
    folder: GuestFolder,
    accelerator: Exclude<Accelerator, 'none'>,
    context: LaunchContext,
    state?: string,
  ): Promise<void> {
    context.onStage('boot');
    const stored = await readRecord(folder);
    const record = state === undefined ? stored : templateRecord(stored);
    await rename(folder.console, `${folder.console}.previous`).catch(ignoreMissing);
    await rm(folder.qmp, { force: true });
    const network = this.#network.arguments(folder.vmId);
    const restore = state !== undefined;
    const sandbox = process.platform === 'linux';
    const qmp = await startQemu({
      program: PROGRAM,
      args: qemuArguments({ folder, record, accelerator, network, restore, sandbox }),
      folder,
      signal: context.signal,
      ...(state === undefined ? {} : { state }),
    });
    await this.#attachments.hold(folder.vmId, qmp);
    await this.#awaitReady(folder, context);
  }

  /** @returns a saved state to start from, where templates are in use and fit this guest */
  async #template(
    spec: GuestSpec,
    seedBytes: number,
    accelerator: Exclude<Accelerator, 'none'>,
  ): Promise<string | undefined> {
    if (this.#templates === undefined) return undefined;
    const { version } = await this.facts();
    const network = this.#network.arguments(spec.vmId);
    const options = { program: PROGRAM, version, accelerator, network, seedBytes };
    return ensureTemplate(this.#templates, spec, options);
  }

  async #awaitReady(folder: GuestFolder, context: LaunchContext): Promise<void> {
    const [record, attached] = await Promise.all([
      readRecord(folder),
      this.#attachments.attach(folder),
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

  async #state(folder: GuestFolder): Promise<GuestState> {
    if (!(await guestExists(folder))) return 'absent';
    try {
      return (await this.#attachments.attach(folder)) ? 'running' : 'stopped';
    } catch (error) {
      if (error instanceof DriverError) return 'unknown';
      throw error;
    }
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
