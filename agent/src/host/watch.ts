/**
 * Looks at the machine from time to time, and says what of it guests may have, whether it is too
 * busy for more of them, and whether its disk gets full.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { DriverError, type GuestUsage } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { chooseCapacity, readMachine, type Machine } from './capacity.ts';
import { count, NOTHING_COUNTED } from './counted.ts';
import { measureCpus, measureHost, type CpuTimes } from './measure.ts';
import { bounded, realRoom, settle, STEP, type GuestsHold, type HostState } from './room.ts';
import { look, NO_PRESSURE, pressureReason, type Load } from './thresholds.ts';

const { guestsMillis, scarceBytes } = AGENT_LIMITS.host;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

export interface Guest {
  readonly vmId: string;
  /** Of what it rents, in MiB; nothing while it does not run. */
  readonly runningMiB: number;
}

export interface HostWatchOptions {
  readonly config: () => Config;
  /** On the file system that guests' disks are on. */
  readonly folder: string;
  readonly guests: () => readonly Guest[];
  readonly usage: (vmId: string) => Promise<GuestUsage>;
  /** Makes room on the disk, in bytes, from what can be had again. @returns what it made */
  readonly makeRoom: (bytes: number) => Promise<number>;
  readonly measureHost?: (folder: string) => Promise<HostState>;
  readonly measureCpus?: () => CpuTimes;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Logger;
  /** What is shared, or whether VMs are taken, is not what it was. */
  readonly changed: () => void;
}

/** What is known of the machine. */
export interface HostFacts {
  readonly state: HostState;
  readonly load: Load;
  /** What guests hold, and what they used since the agent was started. */
  readonly held: GuestsHold;
  readonly used: { readonly cpuSeconds: number; receivedBytes: number; sentBytes: number };
}

export class HostWatch {
  readonly #options: HostWatchOptions;
  #machine: Machine = { cpus: 0, memoryMiB: 0, freeStorageGiB: 0 };
  #shares: Amounts = { cpus: 0, memoryMiB: 0, storageGiB: 0, vms: 0 };
  #state: HostState;
  #cpus: CpuTimes;
  #cpuPercent: number | undefined;
  #held: GuestsHold = { memoryMiB: 0, diskBytes: 0 };
  #counted = NOTHING_COUNTED;
  #guestsAt = -Infinity;
  #guestsKey = '';
  #pressure = NO_PRESSURE;
  #real: { readonly memoryMiB: number; readonly storageGiB: number } | undefined;
  #said = '';
  #isScarce = false;

  private constructor(options: HostWatchOptions, state: HostState) {
    this.#options = options;
    this.#state = state;
    this.#cpus = this.#measureCpus();
  }

  /** @throws {GolemError} `usage` when what the operator shares cannot be */
  static async open(options: HostWatchOptions): Promise<HostWatch> {
    const { folder, config } = options;
    const watch = new HostWatch(options, await (options.measureHost ?? measureHost)(folder));
    await watch.#askGuests();
    const machine = await readMachine(folder);
    // What guests hold already is not free, and shared all the same.
    const heldGiB = Math.floor(watch.#held.diskBytes / GIB);
    const freeStorageGiB = machine.freeStorageGiB + heldGiB;
    watch.#machine = { ...machine, freeStorageGiB };
    watch.#shares = watch.sharesOf(config());
    watch.#conclude();
    return watch;
  }

  get facts(): HostFacts {
    const load = this.#load();
    return { state: this.#state, load, held: this.#held, used: this.#counted.sums };
  }

  /** What all VMs together may have at the moment. */
  capacity(): Amounts {
    return this.#real ? bounded(this.#shares, this.#real) : this.#shares;
  }

  /**
   * What would be shared. Percent are of what the machine had when the agent was started.
   * @throws {GolemError} `usage` when that cannot be
   */
  sharesOf(config: Config): Amounts {
    return chooseCapacity(config, this.#machine);
  }

  /** Takes over what the operator shares now. VMs that are there keep what they have. */
  reshare(): void {
    this.#shares = this.sharesOf(this.#options.config());
    this.#conclude();
  }

  /** Why no VMs are taken, in words for requestors. */
  closed(): string | undefined {
    return pressureReason(this.#pressure, this.#load(), this.#thresholds());
  }

  /** Measures what a new VM is about to take: it may be less than it was at the last look. */
  async refresh(): Promise<void> {
    this.#state = await this.#measure();
    this.#conclude();
  }

  /** To be called every `AGENT_LIMITS.host.lookMillis`. */
  async look(): Promise<void> {
    // One that came since would count twice: by what it rents, and as something else that takes memory.
    const isDue = this.#options.now() - this.#guestsAt >= guestsMillis;
    if (isDue || keyOf(this.#options.guests()) !== this.#guestsKey) await this.#askGuests();
    this.#state = await this.#measure();
    this.#pressure = look(this.#pressure, this.#load(), this.#thresholds());
    this.#conclude();
    await this.#keepRoom();
  }

  #conclude(): void {
    const { config, changed } = this.#options;
    const settings = config();
    // Memory guests take nothing of the machine.
    if (settings.driver !== 'memory') {
      const reserve = {
        memoryMiB: settings['reserve-memory'],
        storageGiB: settings['reserve-storage'],
      };
      const real = realRoom(this.#state, this.#held, reserve);
      this.#real = {
        memoryMiB: settle(this.#real?.memoryMiB, real.memoryMiB, STEP.memoryMiB),
        storageGiB: settle(this.#real?.storageGiB, real.storageGiB, STEP.storageGiB),
      };
    }
    const { memoryMiB, storageGiB } = this.capacity();
    const said = JSON.stringify([memoryMiB, storageGiB, this.closed() !== undefined]);
    if (this.#said !== '' && this.#said !== said) {
      const why = this.closed();
      this.#options.log.info({ memoryMiB, storageGiB, why }, 'what is shared has changed');
      changed();
    }
    this.#said = said;
  }

  /** The disk is for guests first: whatever else can be had again goes when it gets full. */
  async #keepRoom(): Promise<void> {
    const { config, makeRoom, log } = this.#options;
    const { freeDiskBytes } = this.#state;
    const missing = config()['reserve-storage'] * GIB - freeDiskBytes;
    if (missing > 0) {
      const made = await makeRoom(missing);
      if (made > 0) log.info({ made }, 'images were removed, as the disk gets full');
    }
    const isScarce = freeDiskBytes < scarceBytes;
    if (isScarce && !this.#isScarce) {
      log.error({ freeDiskBytes }, 'the disk is almost full: guests that write will be paused');
    }
    this.#isScarce = isScarce;
  }

  /** Sums up the guests, one after the other: there is no hurry, and no burst. */
  async #askGuests(): Promise<void> {
    const { config, guests, usage, now } = this.#options;
    const isFirst = this.#guestsAt === -Infinity;
    const usages = new Map<string, GuestUsage>();
    let [memory, disk] = [0, 0];
    const asked = guests();
    this.#guestsKey = keyOf(asked);
    for (const { vmId, runningMiB } of config().driver === 'memory' ? [] : asked) {
      const used = await usage(vmId).catch((error: unknown) => {
        // It went meanwhile, or the hypervisor says nothing of it.
        if (error instanceof DriverError || error instanceof GolemError) return undefined;
        throw error;
      });
      memory += used?.memoryBytes === undefined ? runningMiB : used.memoryBytes / MIB;
      disk += used?.diskBytes ?? 0;
      if (used) usages.set(vmId, used);
    }
    const before = this.#counted;
    this.#held = { memoryMiB: memory, diskBytes: disk };
    this.#counted = count(before, usages, isFirst);
    const [was, is] = [this.#cpus, this.#measureCpus()];
    if (!isFirst) {
      const ours = this.#counted.sums.cpuSeconds - before.sums.cpuSeconds;
      this.#cpuPercent = foreignPercent(was, is, ours);
    }
    this.#cpus = is;
    this.#guestsAt = now();
  }

  #load(): Load {
    const { memoryMiB, availableMemoryMiB, diskBytes, freeDiskBytes } = this.#state;
    return {
      cpu: this.#cpuPercent,
      memory: 100 * (1 - availableMemoryMiB / Math.max(1, memoryMiB)),
      disk: 100 * (1 - freeDiskBytes / Math.max(1, diskBytes)),
    };
  }

  #thresholds() {
    const settings = this.#options.config();
    return {
      cpu: settings['stop-at-cpu'],
      memory: settings['stop-at-memory'],
      disk: settings['stop-at-disk'],
    };
  }

  #measure(): Promise<HostState> {
    return (this.#options.measureHost ?? measureHost)(this.#options.folder);
  }

  #measureCpus(): CpuTimes {
    return (this.#options.measureCpus ?? measureCpus)();
  }
}

function keyOf(guests: readonly Guest[]): string {
  return guests.map(({ vmId, runningMiB }) => `${vmId} ${runningMiB}`).join();
}

/** How busy the CPUs were with anything but guests, in percent. */
function foreignPercent(was: CpuTimes, is: CpuTimes, guestSeconds: number): number | undefined {
  const total = is.totalSeconds - was.totalSeconds;
  if (total <= 0) return undefined;
  const foreign = is.busySeconds - was.busySeconds - guestSeconds;
  return Math.min(100, Math.max(0, (100 * foreign) / total));
}
