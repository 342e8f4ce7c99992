/** Finds VMs for whoever asks, and shows them. */
import type { Accepted } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { Answer } from './command-log.ts';
import { showVm, type VmRecord } from './records.ts';
import type { Recovery } from './recovery.ts';
import type { Store } from './store/store.ts';

export interface DirectoryOptions {
  readonly store: Store;
  readonly recovery: Pick<Recovery, 'isUnknown'>;
}

export class Directory {
  readonly #options: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /**
   * What belongs to another key is as if it were not there.
   * @param ref id, or name among the VMs of `owner`
   * @throws {GolemError} `vm_not_found`
   */
  find(owner: string, ref: string): VmRecord {
    const { vms } = this.#options.store;
    const vm = vmIdSchema.safeParse(ref).success ? vms.get(ref) : vms.byName(owner, ref);
    if (!vm || vm.owner !== owner) throw new GolemError('vm_not_found');
    return vm;
  }

  show(vm: VmRecord): Vm {
    return showVm(vm, this.#options.recovery.isUnknown(vm.id));
  }

  /** The answer to a command that takes time. */
  accepted(operation: string, vm: VmRecord): Answer {
    const body: Accepted = { operation, vm: this.show(vm) };
    return { status: 202, body: JSON.stringify(body) };
  }
}
