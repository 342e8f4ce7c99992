/** A VM as its owner sees it. Pure. */
import type { Vm, VmNotice } from '@vm-on-golem/shared/vm';
import type { VmPhase } from './machine.ts';
import type { VmRecord } from './records.ts';

export interface Sight {
  /** The hypervisor could not be asked: nobody says what a settled VM does. */
  readonly unknown: boolean;
  /** What the wall clock will show at a lease time. */
  readonly toWall: (leaseTime: number) => number;
  /** What the operator has said to all owners. */
  readonly notice: VmNotice | undefined;
}

const SETTLED: ReadonlySet<VmPhase> = new Set(['running', 'stopped', 'suspended']);

export function showVm(vm: VmRecord, { unknown, toWall, notice }: Sight): Vm {
  const iso = (leaseTime: number) => new Date(toWall(leaseTime)).toISOString();
  const told = noticeOf(vm, iso, notice);
  return {
    id: vm.id,
    name: vm.name,
    state: unknown && SETTLED.has(vm.phase) ? 'unknown' : vm.phase,
    image: vm.image,
    resources: vm.resources,
    hourlyPrice: vm.hourlyPrice,
    user: vm.user,
    hostKey: vm.hostKey,
    ...(vm.labels === undefined ? {} : { labels: vm.labels }),
    createdAt: new Date(vm.createdAt).toISOString(),
    ...(vm.leaseUntil === null ? {} : { leaseUntil: iso(vm.leaseUntil) }),
    ...(vm.destroyAt === null ? {} : { destroyAt: iso(vm.destroyAt) }),
    ...(told === undefined ? {} : { notice: told }),
  };
}

function noticeOf(
  { hold }: VmRecord,
  iso: (leaseTime: number) => string,
  notice: VmNotice | undefined,
): VmNotice | undefined {
  if (!hold) return notice;
  const at = iso(hold.until);
  if (hold.why === 'lease') return { kind: 'lease_ended', at };
  return {
    kind: 'drained',
    at,
    ...(notice?.reason === undefined ? {} : { reason: notice.reason }),
  };
}
