/**
 * Who gets what share of the machine. Pure: what is taken is always summed from the store, inside
 * the transaction that takes more, so that no share is given twice and none is ever lost.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { Resources } from '@vm-on-golem/shared/vm';

export const NOTHING: Amounts = { cpus: 0, memoryMiB: 0, storageGiB: 0, vms: 0 };

/** What is left; never below zero, also when the capacity was made smaller than what is taken. */
export function remaining(capacity: Amounts, taken: Amounts): Amounts {
  const left = (key: keyof Amounts) => Math.max(0, capacity[key] - taken[key]);
  return {
    cpus: left('cpus'),
    memoryMiB: left('memoryMiB'),
    storageGiB: left('storageGiB'),
    vms: left('vms'),
  };
}

/** A stopped VM keeps its share: it can be started again at any time. */
export function sum(taken: Amounts, { cpus, memoryMiB, storageGiB }: Resources): Amounts {
  return {
    cpus: taken.cpus + cpus,
    memoryMiB: taken.memoryMiB + memoryMiB,
    storageGiB: taken.storageGiB + storageGiB,
    vms: taken.vms + 1,
  };
}

/** @throws {GolemError} `no_capacity` naming what is short. */
export function checkRoom(left: Amounts, wanted: Resources): void {
  const short = [
    ...(left.vms < 1 ? ['as many VMs as it takes are there'] : []),
    ...(left.cpus < wanted.cpus ? [`${left.cpus} of ${wanted.cpus} CPUs are free`] : []),
    ...(left.memoryMiB < wanted.memoryMiB
      ? [`${left.memoryMiB} of ${wanted.memoryMiB} MiB of memory are free`]
      : []),
    ...(left.storageGiB < wanted.storageGiB
      ? [`${left.storageGiB} of ${wanted.storageGiB} GiB of storage are free`]
      : []),
  ];
  if (short.length === 0) return;
  throw new GolemError(
    'no_capacity',
    `The provider has no room for this VM: ${short.join(', ')}.`,
    { hint: 'Take a smaller size or another provider.' },
  );
}

/**
 * Whether a VM can be given another size: what it has is its own already.
 * @throws {GolemError} `no_capacity` naming what is short.
 */
export function checkGrowth(left: Amounts, from: Resources, to: Resources): void {
  checkRoom({ ...sum(left, from), vms: 1 }, to);
}
