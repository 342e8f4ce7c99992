/** Control groups of guests: made before a guest starts, removed after it has ended. Best effort. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError } from '../../driver.ts';
import { CONTROLLERS, settingsV1, settingsV2, type Limits, type Setting } from './limits.ts';
import { ownGroup, parseMounts, type CgroupMount } from './mounts.ts';

/** A group stays busy for a moment after its last process has ended. */
const REMOVE_TRIES = 20;
const REMOVE_PAUSE_MILLIS = 25;

export interface Cgroups {
  readonly version: 'v2' | 'v1' | 'none';
  /**
   * @returns the groups that the guest's first process has to join
   * @throws {DriverError} `failed`
   */
  open(vmId: string, limits: Limits): Promise<string[]>;
  close(vmId: string): Promise<void>;
  sweep(running: ReadonlySet<string>): Promise<void>;
  /** Removes what there is no guest in. */
  release(): Promise<void>;
}

/** A folder of groups, one for each guest, and what is written into each. */
interface Hierarchy {
  readonly path: string;
  settings(limits: Limits): Setting[];
}

/** What is there to be written to decides which version it is. */
export async function openCgroups(stateDir: string, asRoot: boolean): Promise<Cgroups> {
  const text = (path: string) => readFile(path, 'utf8').catch(() => '');
  const mounts = parseMounts(await text('/proc/self/mountinfo'));
  const own = ownGroup(await text('/proc/self/cgroup'));
  const name = `golem-${createHash('sha256').update(stateDir).digest('hex').slice(0, 8)}`;
  return chooseCgroups(mounts, { name, own, asRoot });
}

export interface ChooseOptions {
  readonly name: string;
  /** Our own group of version 2. */
  readonly own: string | undefined;
  readonly asRoot: boolean;
}

export async function chooseCgroups(
  mounts: readonly CgroupMount[],
  options: ChooseOptions,
): Promise<Cgroups> {
  const unified = await hierarchyV2(mounts, options);
  if (unified) return new GuestCgroups('v2', [unified]);
  const separate = await hierarchiesV1(mounts, options.name);
  return separate ? new GuestCgroups('v1', separate) : new GuestCgroups('none', []);
}

/**
 * Beside our own group, not in it: a group that has groups may hold no processes, which is where a
 * service manager puts the agent when it starts it again.
 */
async function hierarchyV2(
  mounts: readonly CgroupMount[],
  { name, own, asRoot }: ChooseOptions,
): Promise<Hierarchy | undefined> {
  const mount = mounts.find(({ version }) => version === 2);
  if (!mount || (own === undefined && !asRoot)) return undefined;
  const parent = asRoot ? mount.path : join(mount.path, dirname(own ?? '/'));
  const path = join(parent, name);
  const enable = CONTROLLERS.map((controller) => `+${controller}`).join(' ');
  const made = await attempt(async () => {
    await writeFile(join(parent, 'cgroup.subtree_control'), enable);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'cgroup.subtree_control'), enable);
  });
  return made ? { path, settings: settingsV2 } : undefined;
}

/** All controllers or none: half of a bound would be taken for a whole one. */
async function hierarchiesV1(
  mounts: readonly CgroupMount[],
  name: string,
): Promise<Hierarchy[] | undefined> {
  const hierarchies: Hierarchy[] = [];
  for (const controller of CONTROLLERS) {
    const mount = mounts.find(({ controllers }) => controllers.includes(controller));
    if (!mount) return undefined;
    const path = join(mount.path, name);
    if (!(await attempt(() => mkdir(path, { recursive: true })))) return undefined;
    hierarchies.push({ path, settings: (limits) => settingsV1(controller, limits) });
  }
  return hierarchies;
}

class GuestCgroups implements Cgroups {
  readonly version: Cgroups['version'];
  readonly #hierarchies: readonly Hierarchy[];

  constructor(version: Cgroups['version'], hierarchies: readonly Hierarchy[]) {
    this.version = version;
    this.#hierarchies = hierarchies;
  }

  async open(vmId: string, limits: Limits): Promise<string[]> {
    const groups: string[] = [];
    for (const { path, settings } of this.#hierarchies) {
      const group = join(path, vmId);
      groups.push(group);
      try {
        await mkdir(group, { recursive: true });
        for (const [file, value] of settings(limits)) await writeFile(join(group, file), value);
      } catch (cause) {
        throw new DriverError('failed', 'The guest could not be given its bounds.', { cause });
      }
    }
    return groups;
  }

  async close(vmId: string): Promise<void> {
    for (const { path } of this.#hierarchies) await removeGroup(join(path, vmId));
  }

  async sweep(running: ReadonlySet<string>): Promise<void> {
    for (const { path } of this.#hierarchies) {
      const groups = await readdir(path, { withFileTypes: true });
      for (const group of groups) {
        if (group.isDirectory() && !running.has(group.name)) {
          await removeGroup(join(path, group.name));
        }
      }
    }
  }

  async release(): Promise<void> {
    for (const { path } of this.#hierarchies) await attempt(() => rmdir(path));
  }
}

/** One that is still in use is left to the next sweep. */
async function removeGroup(path: string): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES; tries += 1) {
    try {
      return await rmdir(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY') throw error;
      await sleep(REMOVE_PAUSE_MILLIS);
    }
  }
}

/** @returns whether the kernel let us */
async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const refusals = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'EBUSY', 'EINVAL', 'EOPNOTSUPP'];
    if (refusals.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
