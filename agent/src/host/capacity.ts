/** What this machine shares: what the operator says, or what it has but for the reserve. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Amounts } from '@vm-on-golem/shared/offer';
import type { Config } from '../config/config.ts';
import type { Share } from '../config/values.ts';

/** Sizes in MiB and GiB. */
export interface Machine {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly freeStorageGiB: number;
}

export async function readMachine(dataDir: string): Promise<Machine> {
  const { bavail, bsize } = await statfs(dataDir);
  // In a container the limit counts, not the memory of the host around it.
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return {
    cpus: availableParallelism(),
    memoryMiB: Math.floor(memory / 2 ** 20),
    freeStorageGiB: Math.floor((bavail * bsize) / 2 ** 30),
  };
}

/** A folder that is made when the agent starts will be on the disk of what is there. */
export function existingAbove(folder: string): string {
  return existsSync(folder) ? folder : existingAbove(dirname(folder));
}

type Shares = Pick<
  Config,
  | 'driver'
  | 'cpus'
  | 'cpu-overcommit'
  | 'memory'
  | 'storage'
  | 'max-vms'
  | 'reserve-cpus'
  | 'reserve-memory'
  | 'reserve-storage'
>;

/**
 * CPUs may be shared beyond what there is when the operator says so, by a factor; memory never is.
 * @throws {GolemError} `usage` when the shares cannot be.
 */
export function chooseCapacity(config: Shares, machine: Machine): Amounts {
  const spareMemory = Math.max(0, machine.memoryMiB - config['reserve-memory']);
  const memoryMiB = amountOf(config.memory, machine.memoryMiB) ?? spareMemory;
  // Memory guests take none to speak of.
  if (config.driver !== 'memory' && memoryMiB > spareMemory) {
    throw new GolemError(
      'usage',
      `This machine cannot share ${memoryMiB} MiB of memory: it has ${machine.memoryMiB} MiB, and ${config['reserve-memory']} MiB of them are reserved.`,
      { hint: 'Lower --memory or --reserve-memory.' },
    );
  }
  const cpus =
    amountOf(config.cpus, machine.cpus) ?? Math.max(1, machine.cpus - config['reserve-cpus']);
  if (config.driver !== 'memory' && cpus > machine.cpus) {
    throw new GolemError(
      'usage',
      `This machine cannot share ${cpus} CPUs: it has ${machine.cpus}.`,
      { hint: 'Lower --cpus, or give each CPU to several guests with --cpu-overcommit 2.' },
    );
  }
  const storageGiB =
    amountOf(config.storage, machine.freeStorageGiB) ??
    Math.max(0, machine.freeStorageGiB - config['reserve-storage']);
  return {
    cpus: Math.min(Math.floor(cpus * config['cpu-overcommit']), LIMITS.vm.cpus),
    memoryMiB: Math.min(memoryMiB, LIMITS.vm.memoryMiB),
    storageGiB: Math.min(storageGiB, LIMITS.vm.storageGiB),
    vms: config['max-vms'],
  };
}

/** Percent of what there is are rounded down, but a share is never less than one. */
function amountOf(share: Share | undefined, whole: number): number | undefined {
  if (share === undefined) return undefined;
  return 'amount' in share ? share.amount : Math.max(1, Math.floor((whole * share.percent) / 100));
}
