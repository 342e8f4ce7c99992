/** Whether this machine can run guests, and has what was promised. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { chooseCapacity, existingAbove, readMachine } from '../host/capacity.ts';
import {
  chooseAccelerator,
  readMachineFacts,
  type MachineFacts,
} from '../drivers/qemu/accelerator.ts';
import { openDriver } from '../hypervisor.ts';
import { memory, processors, resources } from '../presenters/units.ts';
import { configured, failure, ok, skipped, warning, type Finding } from './check.ts';

export const virtualisation = configured('virtualisation', async ({ loaded }) => {
  const { driver, 'allow-emulation': allowEmulation } = loaded.config;
  if (driver !== 'qemu') return skipped(`the ${driver} driver sees to it`);
  return judgeVirtualisation(await readMachineFacts(), allowEmulation, userInfo().username);
});

/** Pure. */
export function judgeVirtualisation(
  machine: MachineFacts,
  allowEmulation: boolean,
  user: string,
): Finding {
  const accelerator = chooseAccelerator(machine);
  if (accelerator !== 'tcg') return ok(`guests run in hardware, by ${accelerator.toUpperCase()}`);
  const hasIt = machine.kvmModule || machine.cpuFlags.some((flag) => ['vmx', 'svm'].includes(flag));
  if (hasIt && !machine.kvmOpens) {
    return machine.kvmModule
      ? failure(
          '/dev/kvm is there and not for this user',
          `usermod -aG kvm ${user}, and log in again`,
        )
      : failure('the processor can do it and /dev/kvm is missing', 'modprobe kvm_intel or kvm_amd');
  }
  const fix =
    'switch on VT-x, AMD-V or SVM in the firmware; in a VM, nested virtualisation of its host';
  if (allowEmulation) return warning('guests are emulated, some 20 times slower', fix);
  return failure('there is no hardware virtualisation', `${fix}; or set allow-emulation`);
}

/** Where a running agent has opened it, its word is taken. */
export const driver = configured('driver', async ({ loaded, status }) => {
  const { config } = loaded;
  if (status) {
    const { driver: name, accelerator, hypervisorReachable } = status;
    return hypervisorReachable
      ? ok(`${name} with ${accelerator}, in use by the agent`)
      : failure(`${name} cannot be asked by the agent`, 'see golem-provider logs');
  }
  const scratch = await mkdtemp(join(tmpdir(), 'golem-doctor-'));
  try {
    await using opened = await openDriver({ ...config, 'data-dir': scratch });
    const { version, accelerator } = await opened.facts();
    return ok(`${opened.name} ${version} with ${accelerator}`);
  } catch (error) {
    const fix = FIXES[config.driver];
    if (error instanceof GolemError) return failure(error.message, error.hint ?? fix);
    return failure(`guests cannot run: ${(error as Error).message}`, fix);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

const FIXES = {
  qemu: 'apt-get install qemu-system-x86 qemu-utils, or brew install qemu',
  multipass: 'install Multipass, and see that `multipass version` names multipassd',
  memory: 'this driver is for tests',
} as const;

export const memoryAndCpus = configured('memory and CPUs', async ({ loaded, status }) => {
  const machine = await readMachine(existingAbove(loaded.config['data-dir']));
  const has = `of ${processors(machine.cpus)} and ${memory(machine.memoryMiB)}`;
  if (status) return ok(`${resources(status.capacity)} are shared, ${has}`);
  try {
    const { cpus, memoryMiB } = chooseCapacity(loaded.config, machine);
    if (memoryMiB < SMALLEST_MIB) {
      return failure(
        `${memory(memoryMiB)} to share are not enough for a guest, ${has}`,
        'raise --memory, or lower --reserve-memory',
      );
    }
    return ok(`${processors(cpus)} and ${memory(memoryMiB)} to share, ${has}`);
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    return failure(error.message, error.hint ?? 'lower --memory');
  }
});

/** Cloud images boot with no less. */
const SMALLEST_MIB = 512;

export const disk = configured('disk', async ({ loaded, status }) => {
  const { config } = loaded;
  const folder = existingAbove(config['data-dir']);
  const { freeStorageGiB: free } = await readMachine(folder);
  const reserve = config['reserve-storage'];
  if (free < reserve) {
    return failure(
      `${free} GiB are free at ${folder}, less than the reserve of ${reserve} GiB`,
      'make room, choose another --data-dir, or lower --reserve-storage',
    );
  }
  const shared = status?.capacity.storageGiB;
  if (shared !== undefined && shared > free && status?.vms.length === 0) {
    return warning(
      `${shared} GiB are shared and ${free} GiB are free at ${folder}`,
      'lower --storage, or make room',
    );
  }
  return ok(`${free} GiB are free at ${folder}, ${reserve} GiB of them stay so`);
});

export const cgroups = configured('cgroups', async ({ loaded }) => {
  if (process.platform !== 'linux' || loaded.config.driver !== 'qemu') {
    return skipped('not how guests are held here');
  }
  const controllers = await readControllers();
  const missing = ['cpu', 'memory', 'pids'].filter((name) => !controllers.includes(name));
  if (missing.length === 0) return ok(`guests can be held by ${controllers.join(', ')}`);
  return warning(
    `guests cannot be held by ${missing.join(', ')}`,
    'boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), and run as a service',
  );
});

/** Of cgroup v2, the only one that guests are held by. */
async function readControllers(): Promise<string[]> {
  const file = '/sys/fs/cgroup/cgroup.controllers';
  if (!existsSync(file)) return [];
  return (await readFile(file, 'utf8')).trim().split(/\s+/);
}
