/** Finds VMs for whoever asks, and shows them. */
import type { Accepted } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { Answer } from './command-log.ts';
import type { LeaseClock } from './leases/clock.ts';
import type { OperatorMode } from './mode.ts';
import type { Recorder } from './recorder.ts';
import type { VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import { showVm } from './show.ts';
import type { Store } from './store/store.ts';

export interface DirectoryOptions {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly recovery: Pick<Recovery, 'isUnknown'>;
  readonly leaseClock: LeaseClock;
  readonly mode: OperatorMode;
  /** Whether this provider lets a key in where others share with it. */
  readonly serves: (requestor: string) => boolean;
}

export class Directory {
  readonly #options: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /**
   * For what only its owner may do.
   * @param ref id, or name among the VMs of `owner`
   * @throws {GolemError} as `visible`, and `forbidden` when it is only shared with them
   */
  find(owner: string, ref: string): VmRecord {
    const vm = this.visible(owner, ref);
    if (vm.owner === owner) return vm;
    throw new GolemError('forbidden', 'Only the owner of the VM may do that.', {
      hint: 'It is shared with you: you may see it and go in.',
    });
  }

  /**
   * A VM of `requestor`, or one that is shared with them. What belongs to another key is as if it were
   * not there.
   * @param ref id, or name: their own VM of that name comes first
   * @throws {GolemError} `vm_not_found`; `vm_gone` with the reason when it was not its owner who ended it
   */
  visible(requestor: string, ref: string): VmRecord {
    const { vms } = this.#options.store;
    const isId = vmIdSchema.safeParse(ref).success;
    const vm = isId ? vms.get(ref) : (vms.byName(requestor, ref) ?? this.#shared(requestor, ref));
    if (vm?.owner === requestor) return this.collect(vm);
    if (vm && this.#isSharedWith(requestor, vm)) return vm;
    const gone = isId ? vms.gone(ref) : vms.goneByName(requestor, ref);
    if (gone && (gone.owner === requestor || this.#isSharedWith(requestor, gone))) {
      throw goneError(gone);
    }
    throw new GolemError('vm_not_found');
  }

  /** Before a command is looked at, which may be refused: its owner knows of the VM all the same. */
  recognise(owner: string, ref: string): void {
    const { vms } = this.#options.store;
    const vm = vmIdSchema.safeParse(ref).success ? vms.get(ref) : vms.byName(owner, ref);
    if (vm?.owner === owner) this.collect(vm);
  }

  /** The same, and by its id also one that is gone and not forgotten. */
  remembered(requestor: string, ref: string): VmRecord {
    const gone = vmIdSchema.safeParse(ref).success ? this.#options.store.vms.gone(ref) : undefined;
    const isTheirs = gone && (gone.owner === requestor || this.#isSharedWith(requestor, gone));
    return isTheirs ? gone : this.visible(requestor, ref);
  }

  /** Its owner has shown that they know of it: what nobody collects is rolled back. */
  collect(vm: VmRecord): VmRecord {
    if (vm.collectBy === null) return vm;
    return this.#options.recorder.update(vm.id, { collectBy: null }) ?? vm;
  }

  /** As its owner sees it. */
  show(vm: VmRecord): Vm {
    const { recovery, leaseClock, mode } = this.#options;
    return showVm(vm, {
      unknown: recovery.isUnknown(vm.id),
      toWall: (leaseTime) => leaseClock.toWall(leaseTime),
      notice: mode.notice,
    });
  }

  /** As one sees it with whom it is shared, or its owner. */
  showTo(requestor: string, vm: VmRecord): Vm {
    return vm.owner === requestor
      ? this.show(this.collect(vm))
      : { ...this.show(vm), sharedBy: vm.owner };
  }

  /** The answer to a command that takes time. */
  accepted(operation: string, vm: VmRecord): Answer {
    const body: Accepted = { operation, vm: this.show(vm) };
    return { status: 202, body: JSON.stringify(body) };
  }

  #shared(requestor: string, name: string): VmRecord | undefined {
    const [vm, another] = this.#options.store.vms.sharedByName(requestor, name);
    if (!another) return vm;
    throw new GolemError('vm_not_found', `Several VMs called ${name} are shared with you.`, {
      hint: 'Say which one by its id.',
    });
  }

  #isSharedWith(requestor: string, vm: VmRecord): boolean {
    return this.#options.serves(requestor) && this.#options.store.grants.has(vm.id, requestor);
  }
}

function goneError({ name, goneAt, goneWhy }: VmRecord): GolemError {
  if (goneWhy === null || goneAt === null) return new GolemError('vm_not_found');
  const at = new Date(goneAt).toISOString();
  return new GolemError('vm_gone', `${name} was removed at ${at}. ${goneWhy}`);
}
