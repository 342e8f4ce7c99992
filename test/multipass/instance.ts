/** One instance of the stand-in: what Multipass would keep of it, and the guest that it stands for. */
import type { Driver } from '../../agent/src/drivers/driver.ts';
import type { Forwarder } from './forwarder.ts';

/** What a client is told of a command that came to nothing. */
export class Failure extends Error {}

export interface Snapshot {
  readonly comment: string;
  readonly parent: string;
  readonly created: string;
  readonly cpus: number;
  readonly memory: number;
  readonly disk: number;
}

/** What is written to the daemon's file. Sizes are bytes. */
export interface Saved {
  readonly name: string;
  readonly vmId: string;
  deleted: boolean;
  cpus: number;
  memory: number;
  disk: number;
  /** The guest's disk, which never shrinks: going back to a snapshot only says that it did. */
  diskGiB: number;
  address: string | undefined;
  userData: string;
  snapshots: Record<string, Snapshot>;
}

const STATES = {
  running: 'Running',
  stopped: 'Stopped',
  suspended: 'Suspended',
  absent: 'Stopped',
  unknown: 'Unknown',
} as const;

export class Instance {
  readonly saved: Saved;
  readonly #driver: Driver;
  forwarder: Forwarder | undefined;
  /** What is being done with it: its state while it lasts. */
  passing: 'Starting' | 'Suspending' | 'Unknown' | undefined;
  /** Ends a launch that is under way. */
  readonly abort = new AbortController();
  /** Resolves when a launch that was under way has ended. */
  launching: Promise<void> = Promise.resolve();

  constructor(saved: Saved, driver: Driver) {
    this.saved = saved;
    this.#driver = driver;
  }

  async state(): Promise<string> {
    if (this.saved.deleted) return 'Deleted';
    if (this.passing !== undefined) return this.passing;
    return STATES[(await this.#driver.inspect(this.saved.vmId)).state];
  }

  get size() {
    const memoryMiB = Math.floor(this.saved.memory / 2 ** 20);
    return { cpus: this.saved.cpus, memoryMiB, storageGiB: this.saved.diskGiB };
  }
}
