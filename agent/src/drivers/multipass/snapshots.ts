/** Snapshots of guests: Multipass keeps them, and the records when each was asked for. */
import { DriverError, stopIfAborted, type GuestSnapshot } from '../driver.ts';
import { MultipassFailure, type Instances } from './instances.ts';
import { instanceName } from './names.ts';
import type { Presence } from './presence.ts';
import type { Records } from './record.ts';
import type { Sizes } from './sizes.ts';

export interface SnapshotsOptions {
  readonly instances: Instances;
  readonly records: Records;
  readonly presence: Presence;
  readonly sizes: Sizes;
  readonly now: () => number;
}

/** The names of snapshots are checked already. */
export class Snapshots {
  readonly #options: SnapshotsOptions;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  async take(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    const { instances, records, presence, now } = this.#options;
    const name = await presence.requireStopped(vmId, signal);
    if ((await instances.snapshots(name)).has(snapshot)) {
      throw new DriverError('exists', 'There is a snapshot of this name already.');
    }
    // Before it is asked for: the answer may be lost, and Multipass' own time be unreadable.
    const at = now();
    await records.update(vmId, (record) => ({
      ...record,
      snapshots: { ...record.snapshots, [snapshot]: at },
    }));
    await instances.change(name, ['snapshot', name, '--name', snapshot], { signal });
  }

  async restore(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    const { instances, records, presence, sizes } = this.#options;
    const name = await presence.requireStopped(vmId, signal);
    if (!(await instances.snapshots(name)).has(snapshot)) {
      throw new DriverError('no_snapshot', 'There is no snapshot of this name.');
    }
    // Multipass gives back the size of that time as well.
    await records.update(vmId, (record) => ({ ...record, resizing: true }));
    const target = `${name}.${snapshot}`;
    await instances.change(name, ['restore', '--destructive', target], { signal });
    await sizes.apply(vmId, signal);
  }

  /** One that is not there is a success. */
  async delete(vmId: string, snapshot: string, signal: AbortSignal): Promise<void> {
    const { instances, records, presence } = this.#options;
    await presence.require(vmId);
    stopIfAborted(signal);
    const name = instanceName(vmId);
    try {
      const args = ['delete', '--purge', `${name}.${snapshot}`];
      await instances.change(name, args, { signal });
    } catch (error) {
      if (!(error instanceof MultipassFailure) || error.complaint !== 'no_snapshot') throw error;
    }
    await records.update(vmId, (record) => {
      const { [snapshot]: _gone, ...snapshots } = record.snapshots;
      return { ...record, snapshots };
    });
  }

  /** Oldest first. */
  async list(vmId: string): Promise<GuestSnapshot[]> {
    const { instances, records, presence } = this.#options;
    await presence.require(vmId);
    const { snapshots } = await records.read(vmId);
    const seen = await instances.snapshots(instanceName(vmId));
    return [...seen]
      .map(([name, createdAt]) => ({ name, createdAt: snapshots[name] ?? createdAt }))
      .sort((a, b) => a.createdAt - b.createdAt || a.name.localeCompare(b.name));
  }
}
