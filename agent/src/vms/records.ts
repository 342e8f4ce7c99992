/** What the store keeps. Times are milliseconds since 1970, but where it says lease time. */
import type { OperationKind, OperationPage, Stage } from '@vm-on-golem/shared/api';
import type { ErrorBody } from '@vm-on-golem/shared/errors';
import type { Resources } from '@vm-on-golem/shared/vm';
import type { Actor } from '@vm-on-golem/shared/vm-records';
import type { VmPhase, VmPower } from './machine.ts';

/** It was stopped for its owner, who may not start it: its disk is kept for a while. */
export interface Hold {
  readonly why: 'lease' | 'drain';
  /** When its disk is removed, in lease time. */
  readonly until: number;
  /** Whether it was stopped for this, and not by its owner before: then it is started with the end of the hold. */
  readonly ran: boolean;
}

/** The same hold with its disk kept until `until` at least. */
export function keptBeyond(hold: Hold, until: number): Hold {
  return { ...hold, until: Math.max(hold.until, until) };
}

export interface VmRecord {
  /** Rises with every VM of this provider: the order of lists. */
  readonly seq: number;
  readonly id: string;
  /** `gr_...` of the requestor whose key created it, or has followed that one. */
  readonly owner: string;
  readonly name: string;
  readonly phase: VmPhase;
  readonly power: VmPower;
  /** Its removal was decided and is not finished: nothing but its removal follows. */
  readonly removing: boolean;
  readonly image: string;
  readonly resources: Resources;
  /** The size that it is being given: as long as that takes, the larger of both is taken. */
  readonly growing: Resources | null;
  /** nano-USD, the disk included. */
  readonly hourlyPrice: number;
  /** nano-USD an hour of the disk alone: what a VM costs that does not run. */
  readonly storagePrice: number;
  readonly user: string;
  /** OpenSSH line. */
  readonly hostKey: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly createdAt: number;
  /** The end of its lease, in lease time. */
  readonly leaseUntil: number | null;
  /** The end that its owner gave it, in lease time. */
  readonly destroyAt: number | null;
  /** Until when its owner must have shown that they know of it, in lease time; null once they have. */
  readonly collectBy: number | null;
  readonly hold: Hold | null;
  /** Boot of the host in which it was last known to run. */
  readonly boot: string | null;
  /** Null while it exists. */
  readonly goneAt: number | null;
  /** Who ended it, if that was not its owner, and why: in words for the owner. Set with its removal. */
  readonly goneBy: Actor | null;
  readonly goneWhy: string | null;
}

export type NewVm = Pick<
  VmRecord,
  | 'id'
  | 'owner'
  | 'name'
  | 'phase'
  | 'image'
  | 'resources'
  | 'hourlyPrice'
  | 'storagePrice'
  | 'user'
  | 'hostKey'
  | 'labels'
  | 'createdAt'
  | 'leaseUntil'
  | 'destroyAt'
  | 'collectBy'
>;

/** What may change about a VM. */
export type VmChange = Partial<
  Omit<VmRecord, 'seq' | 'id' | 'name' | 'image' | 'user' | 'hostKey' | 'labels' | 'createdAt'>
>;

/** What an operation needs beyond its kind. */
export interface OperationArgs {
  readonly snapshot?: string | undefined;
  /** Of a stop: how long the guest may take before its plug is pulled. */
  readonly graceMillis?: number | undefined;
  /** Of a resize. */
  readonly resources?: Resources | undefined;
  readonly hourlyPrice?: number | undefined;
  readonly storagePrice?: number | undefined;
}

export interface OperationRecord {
  readonly id: string;
  readonly vmId: string;
  /** Of the VM. */
  readonly owner: string;
  readonly kind: OperationKind;
  /** Who asked for it. */
  readonly actor: Actor;
  readonly args: OperationArgs;
  /** What the request is called that asked for it, in every log that it passed. */
  readonly request: string | undefined;
  readonly state: OperationPage['state'];
  readonly error: ErrorBody['error'] | undefined;
}

export type NewOperation = Omit<OperationRecord, 'state' | 'error'>;

export interface EventRecord {
  readonly n: number;
  readonly at: number;
  readonly stage: Stage;
}

/** A guest that the hypervisor has and the store has no VM for. */
export interface OrphanRecord {
  readonly vmId: string;
  /** Lease time. */
  readonly firstSeen: number;
  /** This store made its VM and has seen the end of it: it is nobody's. */
  readonly ended: boolean;
}

/** A command that was accepted, and the answer that it gets whenever it is sent again. */
export interface Remembered {
  /** SHA-256 over the method, path and body of the request. */
  readonly digest: string;
  readonly status: number;
  readonly body: string;
}
