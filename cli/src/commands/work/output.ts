/** VMs as commands hand them out: stable names, units in them. */
import { ORDERED_LABEL } from '@vm-on-golem/shared/labels';
import type { Rental } from '../../sdk/ports.ts';
import type { VmOutput } from '../../presenters/vms.ts';

export interface Reach {
  readonly isReachable: boolean;
  /** ISO 8601. */
  readonly offlineSince?: string | undefined;
}

export function vmOutput(
  { name, provider, vm, seenAt }: Rental,
  { isReachable, offlineSince }: Reach = { isReachable: true },
): VmOutput {
  return {
    id: vm?.id ?? null,
    name,
    state: isReachable ? (vm?.state ?? 'creating') : 'unreachable',
    provider,
    image: vm?.image ?? null,
    cpus: vm?.resources.cpus ?? null,
    memoryMiB: vm?.resources.memoryMiB ?? null,
    storageGiB: vm?.resources.storageGiB ?? null,
    hourlyPriceNanoUsd: vm?.hourlyPrice ?? null,
    createdAt: vm?.createdAt ?? null,
    leaseUntil: vm?.leaseUntil ?? null,
    destroyAt: vm?.destroyAt ?? null,
    notice: vm?.notice ?? null,
    sharedBy: vm?.sharedBy ?? null,
    labels: withoutMark(vm?.labels),
    isUnknown: false,
    user: vm?.user ?? null,
    hostKey: vm?.hostKey ?? null,
    seenAt: seenAt ?? null,
    offlineSince: offlineSince ?? null,
  };
}

/** As their owner gave them. */
function withoutMark(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { [ORDERED_LABEL]: _mark, ...own } = labels;
  return own;
}
