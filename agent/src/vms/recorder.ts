/**
 * The one place that everything about a VM passes through when it is written. Whoever keeps books
 * about VMs observes it, and what they write is in the very transaction of the change: after a kill
 * either both are there or neither.
 */
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Actor } from '@vm-on-golem/shared/vm-records';
import { powerAfter, transition, type VmEvent } from './machine.ts';
import type { NewVm, VmChange, VmRecord } from './records.ts';
import type { Store } from './store/store.ts';

/** A VM before and after a change; `before` is undefined for a new one, and a gone one has `goneAt`. */
export interface Recorded {
  readonly before: VmRecord | undefined;
  readonly after: VmRecord;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A line of a VM's history; `vmEventSchema` has the kinds. */
export interface Happening {
  readonly vmId: string;
  readonly kind: string;
  readonly by: Actor;
  /** In words, where there is more to say. */
  readonly message?: string;
}

/** Called inside the transaction. What it throws, the change does not survive. */
export interface Observer {
  changed?(change: Recorded): void;
  happened?(happening: Happening & { readonly at: number }): void;
}

export interface RecorderOptions {
  readonly store: Store;
  readonly now: () => number;
  readonly observers: readonly Observer[];
}

export class Recorder {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #observers: readonly Observer[];

  constructor({ store, now, observers }: RecorderOptions) {
    this.#store = store;
    this.#now = now;
    this.#observers = observers;
  }

  insert(vm: NewVm): VmRecord {
    return this.#store.transaction(() => {
      this.#store.vms.insert(vm);
      const after = this.#store.vms.get(vm.id);
      if (!after) throw new TypeError(`${vm.id} was just written and is not there`);
      this.#tell({ before: undefined, after, at: this.#now() });
      return after;
    });
  }

  /** @returns the VM as it is from now on, or undefined when it was gone already */
  update(vmId: string, change: VmChange): VmRecord | undefined {
    return this.#store.transaction(() => {
      const before = this.#store.vms.get(vmId);
      if (!before) return undefined;
      this.#store.vms.update(vmId, change);
      const after = { ...before, ...change };
      this.#tell({ before, after, at: this.#now() });
      return after;
    });
  }

  /**
   * Takes a VM to the phase that follows `event`, if its phase allows it.
   * @returns the VM as it is from now on; undefined when nothing was changed
   */
  move(vmId: string, event: VmEvent, change: VmChange = {}): VmRecord | undefined {
    return this.#store.transaction(() => {
      const vm = this.#store.vms.get(vmId);
      const next = vm && transition(vm.phase, event);
      if (!vm || next === undefined) return undefined;
      if (next === 'gone') return this.update(vmId, { ...change, goneAt: this.#now() });
      const power = powerAfter(event) ?? vm.power;
      return this.update(vmId, { ...change, phase: next, power });
    });
  }

  /**
   * The hypervisor is about to be asked to boot the guest, which therefore does not run. One that was being
   * booted before ended at a time that nobody knows.
   */
  booting(vmId: string): void {
    this.#store.transaction(() => {
      const vm = this.#store.vms.get(vmId);
      if (vm && vm.power !== 'off') this.update(vmId, { power: 'off' });
      this.update(vmId, { power: 'booting' });
    });
  }

  happened(happening: Happening): void {
    this.#store.transaction(() => {
      for (const observer of this.#observers) {
        observer.happened?.({ ...short(happening), at: this.#now() });
      }
    });
  }

  #tell(change: Recorded): void {
    for (const observer of this.#observers) observer.changed?.(change);
  }
}

/** What broke may be told at length; a line of history is short. */
function short({ message, ...happening }: Happening): Happening {
  if (message === undefined) return happening;
  return { ...happening, message: message.slice(0, LIMITS.vm.reasonChars).toWellFormed() };
}
