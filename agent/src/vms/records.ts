/** What the store keeps of VMs and operations, and what their owners see of it. */
import type { OperationKind, OperationPage, Stage } from '@vm-on-golem/shared/api';
import type { ErrorBody } from '@vm-on-golem/shared/errors';
import type { Resources, Vm } from '@vm-on-golem/shared/vm';
import type { Actor } from '@vm-on-golem/shared/vm-records';
import type { VmPhase } from './machine.ts';

export interface VmRecord {
  /** Rises with every VM of this provider: the order of lists. */
  readonly seq: number;
  readonly id: string;
  /** `gr_...` of the requestor whose key created it. */
  readonly owner: string;
  readonly name: string;
  readonly phase: VmPhase;
  /** Its removal was decided and is not finished: nothing but its removal follows. */
  readonly removing: boolean;
  readonly image: string;
  readonly resources: Resources;
  /** nano-USD, the disk included. */
  readonly hourlyPrice: number;
  /** nano-USD an hour of the disk alone: what a VM costs that does not run. */
  readonly storagePrice: number;
  readonly user: string;
  /** OpenSSH line. */
  readonly hostKey: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Null while it exists. */
  readonly goneAt: number | null;
}

export type NewVm = Omit<VmRecord, 'seq' | 'removing' | 'goneAt'>;

/** What may change about a VM. */
export type VmChange = Partial<Pick<VmRecord, 'phase' | 'removing' | 'goneAt'>>;

export interface OperationRecord {
  readonly id: string;
  readonly vmId: string;
  /** Of the VM. */
  readonly owner: string;
  readonly kind: OperationKind;
  /** Who asked for it. */
  readonly actor: Actor;
  readonly state: OperationPage['state'];
  readonly error: ErrorBody['error'] | undefined;
}

export type NewOperation = Omit<OperationRecord, 'state' | 'error'>;

export interface EventRecord {
  readonly n: number;
  readonly at: number;
  readonly stage: Stage;
}

/** A command that was accepted, and the answer that it gets whenever it is sent again. */
export interface Remembered {
  /** SHA-256 over the method, path and body of the request. */
  readonly digest: string;
  readonly status: number;
  readonly body: string;
}

/** @param unknown the hypervisor could not be asked: nobody says that a settled VM runs */
export function showVm(vm: VmRecord, unknown: boolean): Vm {
  const settled = vm.phase === 'running' || vm.phase === 'stopped';
  return {
    id: vm.id,
    name: vm.name,
    state: unknown && settled ? 'unknown' : vm.phase,
    image: vm.image,
    resources: vm.resources,
    hourlyPrice: vm.hourlyPrice,
    user: vm.user,
    hostKey: vm.hostKey,
    ...(vm.labels === undefined ? {} : { labels: vm.labels }),
    createdAt: new Date(vm.createdAt).toISOString(),
  };
}
