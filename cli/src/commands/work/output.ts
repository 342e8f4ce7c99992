/** VMs as commands hand them out: stable names, units in them. */
import type { Vm } from '@vm-on-golem/shared/vm';
import type { VmOutput } from '../../presenters/vms.ts';
import type { VmEntry } from '../../state/book.ts';

export function vmOutput({ name, provider, vm }: VmEntry, reachable = true): VmOutput {
  return {
    id: vm?.id ?? null,
    name,
    state: reachable ? (vm?.state ?? 'creating') : 'unreachable',
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
  };
}

/** Keeps the signed word of a provider. */
export function withVm(entry: VmEntry, vm: Vm): VmEntry {
  const { pending: _settled, ...rest } = entry;
  return vm.state === 'creating' ? { ...entry, vm } : { ...rest, vm };
}
