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
}

export class Directory {
  readonly #options: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /**
   * What belongs to another key is as if it were not there.
   * @param ref id, or name among the VMs of `owner`
   * @throws {GolemError} `vm_not_found`; `vm_gone` with the reason when it was not its owner who ended it
   */
  find(owner: string, ref: string): VmRecord {
    const { vms } = this.#options.store;
    const isId = vmIdSchema.safeParse(ref).success;
    const vm = isId ? vms.get(ref) : vms.byName(owner, ref);
    if (vm?.owner === owner) return this.collect(vm);
    const gone = isId ? vms.gone(ref) : vms.goneByName(owner, ref);
    if (gone?.owner === owner) throw goneError(gone);
    throw new GolemError('vm_not_found');
  }

  /** Before a command is looked at, which may be refused: its owner knows of the VM all the same. */
  recognise(owner: string, ref: string): void {
    const { vms } = this.#options.store;
    const vm = vmIdSchema.safeParse(ref).success ? vms.get(ref) : vms.byName(owner, ref);
    if (vm?.owner === owner) this.collect(vm);
  }

  /** Its owner has shown that they know of it: what nobody collects is rolled back. */
  collect(vm: VmRecord): VmRecord {
    if (vm.collectBy === null) return vm;
    return this.#options.recorder.update(vm.id, { collectBy: null }) ?? vm;
  }

  show(vm: VmRecord): Vm {
    const { recovery, leaseClock, mode } = this.#options;
    return showVm(vm, {
      unknown: recovery.isUnknown(vm.id),
      toWall: (leaseTime) => leaseClock.toWall(leaseTime),
      notice: mode.notice,
    });
  }

  /** The answer to a command that takes time. */
  accepted(operation: string, vm: VmRecord): Answer {
    const body: Accepted = { operation, vm: this.show(vm) };
    return { status: 202, body: JSON.stringify(body) };
  }
}

function goneError({ name, goneAt, goneWhy }: VmRecord): GolemError {
  if (goneWhy === null || goneAt === null) return new GolemError('vm_not_found');
  const at = new Date(goneAt).toISOString();
  return new GolemError('vm_gone', `${name} was removed at ${at}. ${goneWhy}`);
}
