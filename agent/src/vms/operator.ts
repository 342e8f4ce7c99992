/** What the provider's operator can see and do: everything that is behind the control socket. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { Directory } from './directory.ts';
import type { Intents } from './intents.ts';
import type { LeaseClock } from './leases/clock.ts';
import type { LeaseKeeper } from './leases/keeper.ts';
import { isSettled } from './leases/plan.ts';
import type { Mode, OperatorMode } from './mode.ts';
import type { Orphan, Orphans } from './orphans.ts';
import type { Recorder } from './recorder.ts';
import { keptBeyond, type VmChange, type VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import type { Store } from './store/store.ts';

/** A VM as the operator sees it. */
export interface OperatorVm extends Vm {
  /** `gr_...`. */
  readonly owner: string;
  readonly ageSeconds: number;
}

export interface OperatorOptions {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly directory: Directory;
  readonly intents: Intents;
  readonly recovery: Recovery;
  readonly keeper: LeaseKeeper;
  readonly orphans: Orphans;
  readonly mode: OperatorMode;
  readonly leaseClock: LeaseClock;
  /** How long a lease lasts, and the disk after its end, in milliseconds. */
  readonly leaseMillis: number;
  readonly leaseGraceMillis: number;
  readonly now: () => number;
  /** Whether new VMs are taken has changed. */
  readonly changed: () => void;
}

export class Operator {
  readonly #options: OperatorOptions;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  get mode(): Mode {
    return this.#options.mode.current;
  }

  /** False while the hypervisor cannot be asked. */
  get hypervisorReachable(): boolean {
    return this.#options.recovery.reachable;
  }

  /**
   * Takes no new VMs, and leaves those alone that are there.
   * @throws {GolemError} `wrong_state` while draining, which owners have been told of
   */
  pause(): void {
    if (this.mode.kind === 'draining') {
      throw new GolemError('wrong_state', 'The provider is draining: it takes no new VMs anyway.', {
        hint: 'To cancel that, resume first.',
      });
    }
    this.#change({ kind: 'paused' }, () => {});
    this.#told();
  }

  /**
   * Takes new VMs again. VMs that a drain has stopped are started, with a whole lease: nobody could
   * renew theirs.
   */
  resume(): void {
    const { recorder, intents, store } = this.#options;
    const { mode } = this;
    const begun = this.#change({ kind: 'open' }, () => {
      if (mode.kind !== 'draining') return [];
      return store.vms.live().flatMap((vm) => {
        recorder.happened({ vmId: vm.id, kind: 'drain.cancelled', by: 'provider' });
        const change = this.#undrained(vm, mode.by);
        const free = (change && recorder.update(vm.id, change)) ?? vm;
        if (!vm.hold?.ran || free.hold || vm.phase !== 'stopped') return [];
        return [intents.begin(free, 'start', { actor: 'agent' })];
      });
    });
    for (const intent of begun) intents.carryOut(intent);
    this.#told();
  }

  /**
   * Takes no new VMs, stops those that are there at `by`, and keeps their disks for a week. Owners
   * are told at once.
   * @param by milliseconds since 1970
   * @throws {GolemError} `invalid_request`
   */
  drain({ by, reason }: { readonly by: number; readonly reason?: string | undefined }): void {
    const { store, recorder, now } = this.#options;
    if (!(by > now())) throw new GolemError('invalid_request', 'The time is over already.');
    const words = reason === undefined ? undefined : checkWords(reason);
    const mode = {
      kind: 'draining',
      by,
      ...(words === undefined ? {} : { reason: words }),
    } as const;
    this.#change(mode, () => {
      const message = words ?? `The provider stops its VMs at ${new Date(by).toISOString()}.`;
      for (const { id } of store.vms.live()) {
        recorder.happened({ vmId: id, kind: 'drain', by: 'provider', message });
      }
    });
    this.#told();
  }

  /**
   * Destroys a VM. Its owner can read why, and when, for a week.
   * @param ref id, or a name that only one VM here has
   * @returns the operation
   * @throws {GolemError} `vm_not_found`, `wrong_state`, `invalid_request`
   */
  evict(ref: string, reason: string): string {
    const { store, recorder, intents, recovery } = this.#options;
    const words = checkWords(reason);
    const vm = this.#find(ref);
    if (recovery.isUnknown(vm.id)) {
      throw new GolemError('wrong_state', 'The hypervisor cannot say what the VM does.', {
        hint: 'Nothing was changed. Try again when it can be asked.',
      });
    }
    const intent = store.transaction(() => {
      recorder.happened({ vmId: vm.id, kind: 'evict', by: 'provider', message: words });
      const goneWhy = `The provider has put an end to it: ${words}`;
      return intents.begin(vm, 'destroy', {
        actor: 'provider',
        change: { goneBy: 'provider', goneWhy },
      });
    });
    intents.carryOut(intent);
    return intent.operation.id;
  }

  /** All that are there, oldest first. */
  vms(): OperatorVm[] {
    const { store, directory, now } = this.#options;
    return store.vms.live().map((vm) => ({
      ...directory.show(vm),
      owner: vm.owner,
      ageSeconds: Math.max(0, Math.floor((now() - vm.createdAt) / 1000)),
    }));
  }

  /** Guests that belong to no VM. */
  orphans(): Orphan[] {
    return this.#options.orphans.list();
  }

  /**
   * What such a guest holds is lost.
   * @throws {GolemError} `vm_not_found`
   */
  async removeOrphan(vmId: string): Promise<void> {
    await this.#options.orphans.remove(vmId);
  }

  /** Both or neither: what is in the store is the mode, whatever broke. */
  #change<Result>(to: Mode, work: () => Result): Result {
    const { store, mode } = this.#options;
    try {
      return store.transaction(() => {
        mode.write(to);
        return work();
      });
    } finally {
      mode.reload();
    }
  }

  /** What the end of a drain changes about a VM that it held, or whose renewals it cut short. */
  #undrained(vm: VmRecord, by: number): VmChange | undefined {
    const { leaseClock, leaseMillis, leaseGraceMillis, recovery } = this.#options;
    const now = leaseClock.now();
    const leaseUntil = Math.max(vm.leaseUntil ?? 0, now + leaseMillis);
    if (vm.hold?.why === 'drain') {
      // What is in the middle of being stopped is released once it is known to have stopped.
      const isIdle = isSettled(vm) && !recovery.isUnknown(vm.id);
      return {
        leaseUntil,
        hold: isIdle ? null : keptBeyond(vm.hold, leaseUntil + leaseGraceMillis),
      };
    }
    const end = leaseClock.fromWall(by);
    const isCapped =
      vm.leaseUntil !== null &&
      vm.leaseUntil >= end - CAP_MILLIS &&
      vm.leaseUntil <= Math.max(end, now) + CAP_MILLIS;
    return !vm.hold && isCapped ? { leaseUntil } : undefined;
  }

  #told(): void {
    this.#options.changed();
    this.#options.keeper.look();
  }

  #find(ref: string): VmRecord {
    const { vms } = this.#options.store;
    if (vmIdSchema.safeParse(ref).success) {
      const vm = vms.get(ref);
      if (vm) return vm;
    }
    const named = vms.live().filter(({ name }) => name === ref);
    if (named.length > 1) {
      const ids = named.map(({ id }) => id).join(', ');
      throw new GolemError('invalid_request', `There are several VMs called ${ref}.`, {
        hint: `Name one by its id: ${ids}.`,
      });
    }
    const [vm] = named;
    if (!vm) {
      throw new GolemError('vm_not_found', `There is no VM ${ref} here.`, {
        hint: 'golem-provider vms lists those that are.',
      });
    }
    return vm;
  }
}

/** By how much what is left of a lease may differ from what is left of the drain that cut it short. */
const CAP_MILLIS = 60_000;

/** It goes to owners as it is. */
function checkWords(text: string): string {
  const words = text.trim();
  if (words === '' || words.length > LIMITS.vm.reasonChars || /[\p{Cc}\p{Cf}]/u.test(words)) {
    throw new GolemError(
      'invalid_request',
      `A reason is one line of up to ${LIMITS.vm.reasonChars} characters.`,
    );
  }
  return words;
}
