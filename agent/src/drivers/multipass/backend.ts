/** What the Multipass of this machine is and can do; remembered for when it cannot be asked. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { DriverError, type Accelerator, type Capability } from '../driver.ts';
import type { Instances } from './instances.ts';

const backendSchema = z.object({ version: z.string(), hypervisor: z.string().optional() });
export type Backend = z.infer<typeof backendSchema>;

const MEMORY = 'multipass.json';
const OLDEST = [1, 13] as const;

/**
 * Asks Multipass, or remembers what it said last: guests are not to be given up because their daemon
 * starts later than we do.
 * @throws {DriverError} `unavailable`
 */
export async function findBackend(instances: Instances, stateDir: string): Promise<Backend> {
  const path = join(stateDir, MEMORY);
  const remembered = await remember(path);
  let backend: Backend;
  try {
    const version = await instances.version();
    const hypervisor = (await instances.backend()) ?? remembered?.hypervisor;
    backend = { version, ...(hypervisor === undefined ? {} : { hypervisor }) };
  } catch (error) {
    if (remembered) return remembered;
    throw error;
  }
  if (!atLeast(backend.version, ...OLDEST)) {
    throw new DriverError(
      'unavailable',
      `Multipass ${OLDEST.join('.')} or newer is needed; this one is ${backend.version.slice(0, 40)}.`,
    );
  }
  await writeFile(`${path}.next`, JSON.stringify(backend), { mode: 0o600 });
  await rename(`${path}.next`, path);
  return backend;
}

async function remember(path: string): Promise<Backend | undefined> {
  try {
    return backendSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // There is none, or none that makes sense: the reason why Multipass cannot be asked counts.
    return undefined;
  }
}

/** Hypervisors below Multipass that lack something: `multipass get local.driver`. */
const WITHOUT_SNAPSHOTS: readonly (string | undefined)[] = ['lxd', 'libvirt', undefined];
const WITHOUT_SUSPEND: readonly (string | undefined)[] = ['lxd', 'applevz', undefined];

export function capabilitiesOf({ hypervisor }: Backend): ReadonlySet<Capability> {
  const capabilities = new Set<Capability>(['resize']);
  if (!WITHOUT_SUSPEND.includes(hypervisor)) capabilities.add('suspend');
  if (!WITHOUT_SNAPSHOTS.includes(hypervisor)) capabilities.add('snapshot');
  return capabilities;
}

/** `stop --force`, which pulls the plug. */
export function canForce({ version }: Backend): boolean {
  return atLeast(version, 1, 14);
}

/**
 * Multipass starts no guest without hardware virtualisation.
 * @throws {DriverError} `unavailable` on a system that offers have no word for
 */
export function acceleratorOf(platform: NodeJS.Platform): Accelerator {
  if (platform === 'linux') return 'kvm';
  if (platform === 'darwin') return 'hvf';
  throw new DriverError('unavailable', `Multipass on ${platform} is not supported yet.`);
}

/** @param version such as `1.16.3`, `1.15.1+mac` or `1.17.0-dev.12` */
function atLeast(version: string, major: number, minor: number): boolean {
  const found = /^(\d{1,6})\.(\d{1,6})/.exec(version);
  const [has, hasMinor] = [Number(found?.[1]), Number(found?.[2])];
  return has > major || (has === major && hasMinor >= minor);
}
