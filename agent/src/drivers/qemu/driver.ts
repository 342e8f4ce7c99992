/** Guests on QEMU: one process and one folder each. What runs is what answers on its control socket. */
import { execFile } from 'node:child_process';
import { rename, rm, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import {
  DriverError,
  type Accelerator,
  type Capability,
  type Driver,
  type DriverFacts,
  type GuestSpec,
  type GuestState,
  type GuestStatus,
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
  type GuestRecord,
} from './folder.ts';
import { boundConsole, writeGuest } from './guest.ts';
import { seedIso } from './iso.ts';
import { restrictedNetwork, type GuestNetwork } from './network.ts';
import { killQemu, qemuGone, startQemu } from './process.ts';
import type { Qmp } from './qmp.ts';
import { waitUntilReady } from './readiness.ts';
import { ensureTemplate, TEMPLATE_ARGUMENT } from './template.ts';

const run = promisify(execFile);
const PROGRAM = 'qemu-system-x86_64';

const CONSOLE_CHECK_MILLIS = 15_000;
/** What QEMU needs to write its caches back after `quit`. */
const QUIT_MILLIS = 5_000;

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
  await prepareStateDir(options.stateDir);
  return new QemuDriver(options);
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
      for (const id of this.#attachments.ids) void boundConsole(this.#folder(id));
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
    if (spec.memoryMiB < spec.image.minMemoryMiB) {
      throw new DriverError(
        'failed',
        `${spec.image.id} needs ${spec.image.minMemoryMiB} MiB of memory.`,
      );
    }
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

  async stop(
    vmId: string,
    { graceMs, signal }: { graceMs: number; signal: AbortSignal },
  ): Promise<void> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    const attached = await this.#attachments.attach(folder);
    if (!attached) return;
    await attached.qmp.execute('system_powerdown');
    const ended = await endsWithin(attached.qmp, graceMs, signal);
    if (ended && (await qemuGone(folder, QUIT_MILLIS))) return;
    if (signal.aborted) throw new DriverError('aborted', 'The wait for the shutdown was stopped.');
    await this.#pullPlug(folder);
  }

  async destroy(vmId: string): Promise<void> {
    const folder = this.#folder(vmId);
    if (!(await guestExists(folder))) return;
    await this.#pullPlug(folder);
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
    const record = await bootRecord(folder, state);
    await rename(folder.console, `${folder.console}.previous`).catch(ignoreMissing);
    await rm(folder.qmp, { force: true });
    const network = this.#network.arguments(folder.vmId);
    const qmp = await startQemu({
      program: PROGRAM,
      args: qemuArguments({ folder, record, accelerator, network, restore: state !== undefined }),
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
    if (this.#templates === undefined || !spec.image.kernel) return undefined;
    const { version } = await this.facts();
    const { cpus, memoryMiB, storageGiB, vmId } = spec;
    const { vmlinuz, initrd } = spec.image.kernel;
    const changed = await Promise.all(
      [vmlinuz, initrd].map(async (file) => (await stat(file)).mtimeMs),
    );
    const image = [vmlinuz, initrd, ...changed].join(' ');
    const key = {
      qemuVersion: version,
      image,
      cpus,
      memoryMiB,
      storageGiB,
      seedBytes,
    };
    return ensureTemplate(this.#templates, key, {
      prepare: async (path, seed) => {
        const folder = guestFolder(path, vmId);
        await createGuestFolder(folder);
        await writeGuest(folder, spec, seed);
        return folder;
      },
      start: async (folder) => {
        const record = await bootRecord(folder, TEMPLATE_ARGUMENT);
        const network = this.#network.arguments(vmId);
        const args = qemuArguments({ folder, record, accelerator, network, sandbox: false });
        const { signal } = new AbortController();
        return startQemu({ program: PROGRAM, args, folder, signal });
      },
    });
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

  async #pullPlug(folder: GuestFolder): Promise<void> {
    const attached = await this.#attachments.attach(folder).catch((error: unknown) => {
      // Whatever is wrong with its control socket, the process itself can still be ended.
      if (error instanceof DriverError) return undefined;
      throw error;
    });
    if (attached) {
      // QEMU may end before it has answered; whether it did is seen below.
      await attached.qmp.execute('quit').catch(() => undefined);
      await endsWithin(attached.qmp, QUIT_MILLIS, new AbortController().signal);
      await qemuGone(folder, QUIT_MILLIS);
    }
    await killQemu(folder);
    attached?.qmp[Symbol.dispose]();
  }
}

/** A guest that is restored must be given the command line of its template, word for word. */
async function bootRecord(folder: GuestFolder, template: string | undefined): Promise<GuestRecord> {
  const record = await readRecord(folder);
  if (template === undefined || !record.kernel) return record;
  const append = `${record.kernel.append} ${TEMPLATE_ARGUMENT}`;
  return { ...record, kernel: { ...record.kernel, append } };
}

/** @returns whether QEMU ended in time and before `signal` */
async function endsWithin(qmp: Qmp, millis: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), millis);
  const onAbort = () => resolve(false);
  signal.addEventListener('abort', onAbort, { once: true });
  void qmp.closed.then(() => resolve(true));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
