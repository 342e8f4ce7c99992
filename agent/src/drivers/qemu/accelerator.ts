/** Whether this machine can really run guests in hardware. */
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import type { Accelerator } from '../driver.ts';
import { deviceGroups } from './confinement/user.ts';

/** What decides, read from the machine. */
export interface MachineFacts {
  readonly platform: NodeJS.Platform;
  /** For whom guests run as, which is never root. */
  readonly kvmOpens: boolean;
  /** It is there, and only root could open it. */
  readonly kvmForRootAlone?: boolean;
  /** `flags` of /proc/cpuinfo. */
  readonly cpuFlags: readonly string[];
  readonly kvmModule: boolean;
}

/**
 * A /dev/kvm that opens proves nothing: a paravirtual KVM without virtualisation underneath opens
 * too, starts QEMU, and then interprets the guest until it dies.
 */
export function chooseAccelerator(machine: MachineFacts): Exclude<Accelerator, 'none'> {
  if (machine.platform === 'darwin') return 'hvf';
  const hardware =
    machine.kvmModule || machine.cpuFlags.includes('vmx') || machine.cpuFlags.includes('svm');
  return machine.platform === 'linux' && machine.kvmOpens && hardware ? 'kvm' : 'tcg';
}

export async function readMachineFacts(): Promise<MachineFacts> {
  const kvm = await stat('/dev/kvm').catch(() => undefined);
  const kvmForRootAlone =
    process.getuid?.() === 0 && kvm !== undefined && deviceGroups(kvm) === undefined;
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const exists = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );
  return {
    platform: process.platform,
    kvmOpens: await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
      () => !kvmForRootAlone,
      () => false,
    ),
    kvmForRootAlone,
    cpuFlags: /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [],
    kvmModule: (await exists('/sys/module/kvm_intel')) || (await exists('/sys/module/kvm_amd')),
  };
}
