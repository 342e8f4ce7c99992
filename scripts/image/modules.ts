/** Kernel modules with what they depend on, in an order in which they can be loaded. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** What the guest needs; whatever the kernel has built in is left out. */
const WANTED = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'ext4',
  'crc32c_generic',
  'isofs',
  'button',
  'evdev',
  'virtio_rng',
] as const;

export interface KernelModules {
  readonly release: string;
  /** Absolute paths, dependencies first. */
  readonly files: readonly string[];
}

/** @param root folder that looks like `/` of a machine with one kernel */
export async function guestModules(root: string): Promise<KernelModules> {
  const library = (await firstExisting(root, ['lib/modules', 'usr/lib/modules'])) ?? '';
  const [release] = (await readdir(library)).sort().slice(-1);
  if (!release) throw new Error('the kernel package has no modules');
  const byName = new Map<string, string>();
  for (const entry of await readdir(join(library, release), { recursive: true })) {
    if (entry.endsWith('.ko')) byName.set(moduleName(entry), join(library, release, entry));
  }
  const ordered = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const file = byName.get(name);
    if (!file || ordered.has(file)) return;
    for (const dependency of await dependencies(file)) await add(dependency);
    ordered.add(file);
  };
  for (const name of WANTED) await add(name);
  return { release, files: [...ordered] };
}

/** Reads `depends=` from the module's `.modinfo`, as the kernel build wrote it. */
async function dependencies(file: string): Promise<string[]> {
  const text = (await readFile(file)).toString('latin1');
  const list = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? '';
  return list.split(',').filter(Boolean).map(moduleName);
}

function moduleName(path: string): string {
  return basename(path, '.ko').replaceAll('-', '_');
}

async function firstExisting(
  root: string,
  candidates: readonly string[],
): Promise<string | undefined> {
  for (const candidate of candidates) {
    const found = await readdir(join(root, candidate)).catch(() => undefined);
    if (found?.length) return join(root, candidate);
  }
  return undefined;
}
