/**
 * What keeps a QEMU that a guest took over from doing harm: a user of its own without any rights, and
 * bounds on what it takes of the machine. The seccomp sandbox is QEMU's own, see `command.ts`; what the
 * guest reaches is the network's.
 */
import { readFile, stat } from 'node:fs/promises';
import { DriverError, type Accelerator, type GuestSize } from '../../driver.ts';
import type { GuestUser } from '../network/network.ts';
import { openCgroups, type Cgroups } from './cgroups.ts';
import { asUser, inCgroups, withoutNewPrivileges } from './command.ts';
import { planLimits } from './limits.ts';
import { chooseUser, deviceGroups, parseUidRanges } from './user.ts';

export interface Confinement {
  /** Which control groups bound the guests; without any a guest can take all of the machine. */
  readonly cgroups: Cgroups['version'];
  /** Whom a guest's QEMU runs as; undefined where that can only be who runs the agent. */
  user(vmId: string): GuestUser | undefined;
  /**
   * Before every start of a guest.
   * @returns the command that runs QEMU's, confined
   * @throws {DriverError} `unavailable` where QEMU would run as root
   */
  open(vmId: string, options: ConfineOptions): Promise<(command: readonly string[]) => string[]>;
  /** After the guest has ended. */
  close(vmId: string): Promise<void>;
  /** Once at start-up. @param running guests that run, or may */
  sweep(running: ReadonlySet<string>): Promise<void>;
  /** Lets go of the guests, which stay confined. */
  release(): Promise<void>;
}

export interface ConfineOptions {
  readonly size: GuestSize;
  readonly accelerator: Exclude<Accelerator, 'none'>;
}

/** @param stateDir whose guests they are: another agent's have groups of their own */
export async function openConfinement(stateDir: string): Promise<Confinement> {
  const text = (path: string) => readFile(path, 'utf8').catch(() => '');
  const uid = process.getuid?.() ?? -1;
  const host = {
    agentUid: uid,
    passwd: await text('/etc/passwd'),
    uids: parseUidRanges(await text('/proc/self/uid_map')),
  };
  const setpriv = await hasSetpriv();
  const cgroups = await openCgroups(stateDir, uid === 0);
  return {
    cgroups: cgroups.version,
    user: (vmId) => chooseUser(vmId, host),
    async open(vmId, { size, accelerator }) {
      const user = chooseUser(vmId, host);
      if (user && !setpriv) {
        throw new DriverError(
          'unavailable',
          'Guests would run as root: there is no setpriv on this machine (package util-linux).',
        );
      }
      const groups = accelerator === 'kvm' ? await kvmGroups() : [];
      const joined = await cgroups.open(vmId, planLimits(size));
      return (command) =>
        inCgroups(
          joined,
          user
            ? asUser(user, groups, command)
            : setpriv
              ? withoutNewPrivileges(command)
              : [...command],
        );
    },
    close: (vmId) => cgroups.close(vmId),
    sweep: (running) => cgroups.sweep(running),
    release: () => cgroups.release(),
  };
}

/** Part of util-linux: every Linux has it, and nothing else. */
async function hasSetpriv(): Promise<boolean> {
  const found = await Promise.all(
    ['/usr/bin/setpriv', '/bin/setpriv'].map((path) => stat(path).catch(() => undefined)),
  );
  return found.some((info) => info !== undefined);
}

async function kvmGroups(): Promise<number[]> {
  return deviceGroups(await stat('/dev/kvm')) ?? [];
}
