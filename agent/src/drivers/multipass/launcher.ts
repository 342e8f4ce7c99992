/** From a spec, or a guest that is stopped, to a guest that answers SSH. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  DriverError,
  stopIfAborted,
  type GuestImage,
  type GuestSpec,
  type GuestStatus,
  type LaunchContext,
} from '../driver.ts';
import { awaitHostKey } from '../readiness.ts';
import { NotRunning, type Connections } from './connections.ts';
import { MultipassFailure, type Instances } from './instances.ts';
import { MULTIPASS_LIMITS } from './limits.ts';
import { instanceName } from './names.ts';
import type { Records } from './record.ts';
import type { Sizes } from './sizes.ts';
import { cloudConfig } from './userdata.ts';

const { launchSeconds, startSeconds, overdueMillis, pollMillis } = MULTIPASS_LIMITS;

export interface LauncherOptions {
  readonly instances: Instances;
  readonly records: Records;
  readonly connections: Connections;
  readonly sizes: Sizes;
}

export class Launcher {
  readonly #options: LauncherOptions;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  async launch(spec: GuestSpec, context: LaunchContext): Promise<void> {
    const { instances, records } = this.#options;
    const { vmId, image, cpus, memoryMiB, storageGiB, hostKey } = spec;
    const name = instanceName(vmId);
    const { minMemoryMiB } = image;
    if (memoryMiB < minMemoryMiB) {
      throw new DriverError('failed', `${image.id} needs ${minMemoryMiB} MiB of memory.`);
    }
    const config = cloudConfig(spec.seed);
    if (await records.has(vmId)) throw new DriverError('exists', 'This guest exists already.');
    // Without a record it is not ours: it must never be taken for what a launch has left behind.
    const look = await instances.look(name);
    if (look.state !== 'absent') throw new DriverError('exists', 'Another instance has its name.');
    const size = { cpus, memoryMiB, storageGiB };
    const unborn = { launched: false, resizing: false, snapshots: {} };
    await records.create(vmId, { ...size, minMemoryMiB, hostKey, ...unborn });
    context.onStage('disk');
    stopIfAborted(context.signal);
    await this.#create(spec, config, context);
    await records.update(vmId, (record) => ({ ...record, launched: true }));
    await this.awaitReady(vmId, context);
  }

  /** @param state as it was seen just now */
  async start(vmId: string, look: StartingFrom, context: LaunchContext): Promise<void> {
    const { instances, records, connections, sizes } = this.#options;
    const name = instanceName(vmId);
    const { signal } = context;
    if (look.state !== 'running') connections.end(vmId);
    if (look.deleted) await instances.change(name, ['recover', name], { signal });
    if (look.state !== 'running') {
      if (look.state === 'stopped' && (await records.read(vmId)).resizing) {
        await sizes.apply(vmId, signal);
      }
      context.onStage('boot');
      stopIfAborted(signal);
      await instances.change(name, ['start', name, '--timeout', String(startSeconds)], {
        millis: startSeconds * 1000 + overdueMillis,
        signal,
      });
    }
    await this.awaitReady(vmId, context);
    await records.update(vmId, (record) => ({ ...record, launched: true }));
  }

  /** Until the guest has proved its host key. Its sshd may answer before that is installed. */
  async awaitReady(vmId: string, context: LaunchContext): Promise<void> {
    const { connections, records } = this.#options;
    const { hostKey } = await records.read(vmId);
    context.onStage('ssh');
    stopIfAborted(context.signal);
    let address = '';
    const dial = async (signal: AbortSignal) => {
      try {
        address = await connections.locate(vmId, signal);
        return await connections.knock(address, signal);
      } catch (error) {
        if (error instanceof NotRunning) throw new Ended();
        throw error;
      }
    };
    try {
      await awaitHostKey({ dial, hostKey, signal: context.signal });
      connections.trust(vmId, address);
    } catch (error) {
      stopIfAborted(context.signal);
      if (!(error instanceof Ended)) throw error;
      throw new DriverError('failed', 'The guest ended while it was starting.', { cause: error });
    }
  }

  async #create(spec: GuestSpec, stdin: string, context: LaunchContext): Promise<void> {
    const { instances, records } = this.#options;
    const name = instanceName(spec.vmId);
    const args = [
      ...['launch', imageArgument(spec.image), '--name', name, '--cpus', String(spec.cpus)],
      ...['--memory', `${spec.memoryMiB}M`, '--disk', `${spec.storageGiB}G`],
      // From stdin: a confined Multipass reads no file that it is not given.
      ...['--cloud-init', '-', '--timeout', String(launchSeconds)],
    ];
    const launched = new AbortController();
    const watching = this.#watch(name, context, launched.signal);
    let booting = false;
    try {
      await instances.change(name, args, {
        millis: launchSeconds * 1000 + overdueMillis,
        signal: context.signal,
        stdin,
      });
    } catch (error) {
      if (!(error instanceof MultipassFailure)) throw error;
      if (isTaken(error)) {
        await records.remove(spec.vmId);
        throw new DriverError('exists', error.message, { cause: error });
      }
      throw isUnreadable(error) ? new DriverError('failed', UNREADABLE, { cause: error }) : error;
    } finally {
      launched.abort();
      booting = await watching;
    }
    if (!booting) context.onStage('boot');
    stopIfAborted(context.signal);
  }

  /**
   * A launch says nothing before its end, so it is looked when the instance is there.
   * @returns whether it was seen, and told, before `launched`
   */
  async #watch(name: string, context: LaunchContext, launched: AbortSignal): Promise<boolean> {
    while (await rested(pollMillis, launched)) {
      const look = await this.#options.instances.look(name).catch((error: unknown) => {
        // Whatever is wrong, the launch itself tells.
        if (error instanceof DriverError) return undefined;
        throw error;
      });
      if (look === undefined || look.state === 'absent' || launched.aborted) continue;
      context.onStage('boot');
      return true;
    }
    return false;
  }
}

export interface StartingFrom {
  readonly state: Exclude<GuestStatus['state'], 'absent'>;
  readonly deleted: boolean;
}

class Ended extends Error {}

/** Somebody was faster with this very name: the instance is theirs. */
function isTaken({ complaint }: MultipassFailure): boolean {
  return complaint === 'exists' || complaint === 'preparing';
}

/** That there is no such file: we have just seen it. */
function isUnreadable({ message }: MultipassFailure): boolean {
  return /Custom image .* does not exist/.test(message);
}

const UNREADABLE =
  'Multipass cannot read the image. As a snap it reads nothing but folders below /home whose names do not begin with a dot.';

/** A file of ours, or an image that Multipass fetches itself. */
function imageArgument({ disk }: GuestImage): string {
  return isAbsolute(disk) ? pathToFileURL(disk).href : disk;
}

/** @returns whether it was not woken before its time */
async function rested(millis: number, signal: AbortSignal): Promise<boolean> {
  return sleep(millis, true, { signal }).catch(() => false);
}
