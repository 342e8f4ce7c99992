/**
 * Guests that belong to no VM. They are reported at once, and left alone: a store that was lost or is
 * older than the guest knows nothing of it, and the guest may be a tenant's. Removed by itself is only
 * what this very store has made and seen the end of, after a grace time in which it was reported.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Logger } from 'pino';
import type { Driver, GuestState, GuestStatus } from '../drivers/driver.ts';
import type { LeaseClock } from './leases/clock.ts';
import type { Operations } from './operations.ts';
import type { OrphanRecord } from './records.ts';
import type { Store } from './store/store.ts';

export interface Orphan {
  readonly vmId: string;
  readonly state: GuestState;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  /** Milliseconds since 1970; none when only the operator removes it. */
  readonly removedAt: number | undefined;
}

/** Which are to be removed. Pure; times are lease times. */
function overdue(
  orphans: readonly OrphanRecord[],
  now: number,
  graceMillis: number,
): OrphanRecord[] {
  return orphans.filter(({ ended, firstSeen }) => ended && firstSeen + graceMillis <= now);
}

export interface OrphansOptions {
  readonly store: Store;
  readonly driver: Driver;
  readonly operations: Operations;
  readonly leaseClock: LeaseClock;
  readonly graceMillis: number;
  readonly log: Logger;
}

export class Orphans {
  readonly #options: OrphansOptions;
  #states: ReadonlyMap<string, GuestState> = new Map();
  /** Each is told of when it is found, and all of them with every start. */
  #isTold = false;

  constructor(options: OrphansOptions) {
    this.#options = options;
  }

  /** @param vms that were there when the hypervisor was asked */
  seen(guests: readonly GuestStatus[], vms: ReadonlySet<string>): void {
    const { store, leaseClock, graceMillis, log } = this.#options;
    const now = leaseClock.now();
    const known = new Set(store.orphans.all().map(({ vmId }) => vmId));
    if (!this.#isTold && known.size > 0) {
      log.warn({ vms: [...known] }, 'there are still guests that belong to no VM');
    }
    this.#isTold = true;
    this.#states = new Map(guests.map(({ vmId, state }) => [vmId, state]));
    for (const vmId of known) {
      if (!this.#states.has(vmId) || store.vms.get(vmId)) store.orphans.remove(vmId);
    }
    for (const { vmId, state } of guests) {
      if (known.has(vmId) || vms.has(vmId) || store.vms.get(vmId)) continue;
      const ended = store.vms.gone(vmId) !== undefined;
      store.orphans.insert({ vmId, firstSeen: now, ended });
      log.warn({ vm: vmId, state, ended }, 'a guest that belongs to no VM was left alone');
    }
    for (const { vmId } of overdue(store.orphans.all(), now, graceMillis)) {
      if (this.#options.operations.isBusy(vmId)) continue;
      log.warn({ vm: vmId }, 'a guest that belongs to no VM is removed, as nobody took it up');
      this.#options.operations.enqueue(vmId, 'orphan', () => this.#remove(vmId));
    }
  }

  list(): Orphan[] {
    const { store, leaseClock, graceMillis } = this.#options;
    return store.orphans.all().map(({ vmId, firstSeen, ended }) => ({
      vmId,
      state: this.#states.get(vmId) ?? 'unknown',
      firstSeen: leaseClock.toWall(firstSeen),
      removedAt: ended ? leaseClock.toWall(firstSeen + graceMillis) : undefined,
    }));
  }

  /**
   * The operator's own decision: what it holds is lost.
   * @throws {GolemError} `vm_not_found` when it is no orphan
   */
  async remove(vmId: string): Promise<void> {
    const { store, log } = this.#options;
    const isOrphan = store.orphans.all().some((orphan) => orphan.vmId === vmId);
    if (!isOrphan || store.vms.get(vmId)) {
      throw new GolemError('vm_not_found', `${vmId} is not a guest that belongs to no VM.`, {
        hint: 'golem-provider orphans lists those that are.',
      });
    }
    log.warn({ vm: vmId }, 'a guest that belongs to no VM is removed by the operator');
    await this.#remove(vmId);
  }

  async #remove(vmId: string): Promise<void> {
    await this.#options.driver.destroy(vmId);
    this.#options.store.orphans.remove(vmId);
  }
}
