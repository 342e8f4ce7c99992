/** Guests on QEMU: one process and one folder each. What runs is what answers on its control socket. */
import { execFile } from 'node:child_process';
import { rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
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
  writeRecord,
  type GuestFolder,
} from './folder.ts';
import { seedIso } from './iso.ts';
import { restrictedNetwork, type GuestNetwork, type SshEndpoint } from './network.ts';
import { killQemu, qemuPid, startQemu } from './process.ts';
import { Qmp, QmpUnreachable } from './qmp.ts';
import { waitUntilReady } from './readiness.ts';

const run = promisify(execFile);
const PROGRAM = 'qemu-system-x86_64';

/** A guest writes to its console what it likes; the file is cut when it is larger than this. */
const CONSOLE_BYTES = 1024 * 1024;
const CONSOLE_CHECK_MILLIS = 15_000;
/** What QEMU needs to write its caches back after `quit`. */
const QUIT_MILLIS = 5_000;

export interface QemuDriverOptions {
  /** Folder of its own; one folder for each guest below it. */
  readonly stateDir: string;
  /** Emulated guests are some twenty times slower: for tests and demonstrations. */
  readonly allowEmulation: boolean;
  readonly network?: GuestNetwork;
}

export async function createQemuDriver(options: QemuDriverOptions): Promise<Driver> {
  await prepareStateDir(options.stateDir);
  return new QemuDriver(options);
}

/** A guest whose control socket we hold. */
interface Attached {
  readonly qmp: Qmp;
  readonly endpoint: SshEndpoint;
}

class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly capabilities: ReadonlySet<Capability> = new Set();
  readonly #stateDir: string;
  readonly #allowEmulation: boolean;
  readonly #network: GuestNetwork;
  readonly #attached = new Map<string, Promise<Attached>>();
  readonly #attaching = new Map<string, Promise<Attached | undefined>>();
  readonly #consoleCheck: NodeJS.Timeout;

  constructor({ stateDir, allowEmulation, network = restrictedNetwork }: QemuDriverOptions) {
    this.#stateDir = stateDir;
    this.#allowEmulation = allowEmulation;
    this.#network = network;
    this.#consoleCheck = setInterval(
      () => void this.#boundConsoles(),
      CONSOLE_CHECK_MILLIS,
    ).unref();
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
    await createOverlay(folder, spec);
    const seed = {
      'user-data': spec.seed.userData,
      'meta-data': spec.seed.metaData,
      'network-config': this.#network.document(spec.vmId),
    };
    await writeFile(folder.seed, seedIso(seed), { mode: 0o600 });
    await writeRecord(folder, {
      cpus: spec.cpus,
      memoryMiB: spec.memoryMiB,
      hostKey: spec.hostKey,
      ...(spec.image.readyMarker === undefined ? {} : { readyMarker: spec.image.readyMarker }),
      ...(spec.image.kernel === undefined ? {} : { kernel: spec.image.kernel }),
    });
    await this.#boot(folder, accelerator, context);
  }

  async start(vmId: string, context: LaunchContext): Promise<void> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    if (await this.#attach(folder)) return this.#awaitReady(folder, context);
    await this.#boot(folder, await this.#usableAccelerator(), context);
  }

  async stop(
    vmId: string,
    { graceMs, signal }: { graceMs: number; signal: AbortSignal },
  ): Promise<void> {
    const folder = this.#folder(vmId);
    await readRecord(folder);
    const attached = await this.#attach(folder);
    if (!attached) return;
    await attached.qmp.execute('system_powerdown');
    if (await endsWithin(attached.qmp, graceMs, signal)) return;
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
    const attached = await this.#attach(folder);
    if (!attached) throw new DriverError('not_running', 'The guest does not run.');
    return attached.endpoint.dial(signal);
  }

  async console(vmId: string, maxBytes: number): Promise<string> {
    return tail(this.#folder(vmId).console, maxBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#consoleCheck);
    const attached = await Promise.allSettled(this.#attached.values());
    for (const result of attached) {
      if (result.status === 'fulfilled') result.value.qmp[Symbol.dispose]();
    }
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
  ): Promise<void> {
    context.onStage('boot');
    const record = await readRecord(folder);
    await rename(folder.console, `${folder.console}.previous`).catch(ignoreMissing);
    await rm(folder.qmp, { force: true });
    const network = this.#network.arguments(folder.vmId);
    const args = qemuArguments({ folder, record, accelerator, network });
    const qmp = await startQemu(PROGRAM, args, folder, context.signal);
    await this.#hold(folder.vmId, qmp);
    await this.#awaitReady(folder, context);
  }

  async #awaitReady(folder: GuestFolder, context: LaunchContext): Promise<void> {
    const [record, attached] = await Promise.all([readRecord(folder), this.#attach(folder)]);
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

  /** @returns undefined when the guest does not run. @throws {DriverError} when that cannot be told. */
  #attach(folder: GuestFolder): Promise<Attached | undefined> {
    const known = this.#attached.get(folder.vmId) ?? this.#attaching.get(folder.vmId);
    if (known) return known;
    // QEMU serves one client at a time: whoever else asks waits for this one.
    const attaching = this.#connect(folder).finally(() => this.#attaching.delete(folder.vmId));
    this.#attaching.set(folder.vmId, attaching);
    return attaching;
  }

  async #connect(folder: GuestFolder): Promise<Attached | undefined> {
    try {
      return await this.#hold(folder.vmId, await Qmp.connect(folder.qmp));
    } catch (error) {
      if (!(error instanceof QmpUnreachable)) throw error;
      if ((await qemuPid(folder)) === undefined) return undefined;
      throw new DriverError('unavailable', 'QEMU runs but does not listen on its control socket.');
    }
  }

  #hold(vmId: string, qmp: Qmp): Promise<Attached> {
    const attached = this.#network.locate(qmp).then((endpoint) => ({ qmp, endpoint }));
    this.#attached.set(vmId, attached);
    const forget = () => {
      if (this.#attached.get(vmId) === attached) this.#attached.delete(vmId);
    };
    void qmp.closed.then(forget);
    attached.catch(() => {
      forget();
      qmp[Symbol.dispose]();
    });
    return attached;
  }

  async #state(folder: GuestFolder): Promise<GuestState> {
    if (!(await guestExists(folder))) return 'absent';
    try {
      return (await this.#attach(folder)) ? 'running' : 'stopped';
    } catch (error) {
      if (error instanceof DriverError) return 'unknown';
      throw error;
    }
  }

  async #pullPlug(folder: GuestFolder): Promise<void> {
    const attached = await this.#attach(folder).catch((error: unknown) => {
      // Whatever is wrong with its control socket, the process itself can still be ended.
      if (error instanceof DriverError) return undefined;
      throw error;
    });
    if (attached) {
      // QEMU may end before it has answered; whether it did is seen below.
      await attached.qmp.execute('quit').catch(() => undefined);
      await endsWithin(attached.qmp, QUIT_MILLIS, new AbortController().signal);
    }
    await killQemu(folder);
    attached?.qmp[Symbol.dispose]();
  }

  async #boundConsoles(): Promise<void> {
    for (const vmId of this.#attached.keys()) {
      const { console } = this.#folder(vmId);
      const size = await stat(console).then(
        (info) => info.size,
        () => 0,
      );
      if (size <= CONSOLE_BYTES) continue;
      // QEMU appends, so it goes on at the new end of the file.
      await writeFile(`${console}.previous`, await tail(console, CONSOLE_BYTES / 4));
      await truncate(console, 0);
    }
  }
}

async function createOverlay(folder: GuestFolder, spec: GuestSpec): Promise<void> {
  const size = `${spec.storageGiB}G`;
  await run('qemu-img', [
    ...['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', spec.image.disk, folder.disk, size],
  ]).catch((cause: unknown) => {
    throw new DriverError('failed', 'The disk of the guest could not be made.', { cause });
  });
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
