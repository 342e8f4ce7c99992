/** What `list` and `info` show. */
import type { Daemon } from './daemon.ts';
import type { Instance } from './instance.ts';

export async function listed(daemon: Daemon, addresses: boolean): Promise<unknown> {
  const list = [];
  for (const [name, instance] of [...daemon.instances].sort()) {
    const { state, ipv4 } = await seen(daemon, instance, addresses);
    list.push({ name, state, ipv4, release: 'Debian 12 (tiny)' });
  }
  return { list };
}

/** @param runtime whether the guest is asked over SSH, as it were */
export async function shown(
  daemon: Daemon,
  instances: readonly Instance[],
  runtime: boolean,
): Promise<unknown> {
  const info: Record<string, unknown> = {};
  for (const instance of instances) {
    const { saved } = instance;
    const { state, ipv4 } = await seen(daemon, instance, runtime);
    const asked = runtime && state === 'Running';
    info[saved.name] = {
      cpu_count: asked ? String(saved.cpus) : '',
      disks: { sda1: asked ? { total: String(saved.disk), used: '1288490188' } : {} },
      image_hash: '9d3a3e469743',
      image_release: '12',
      ipv4,
      load: asked ? [0.45, 0.51, 0.15] : [],
      memory: asked ? { total: saved.memory, used: 60817408 } : {},
      mounts: {},
      release: asked ? 'Debian GNU/Linux 12' : '',
      snapshot_count: String(Object.keys(saved.snapshots).length),
      state,
    };
  }
  return { errors: [], info };
}

export function snapshotsOf(instances: readonly Instance[]): unknown {
  const info: Record<string, unknown> = {};
  for (const { saved } of instances) {
    const snapshots: Record<string, unknown> = {};
    for (const [name, { cpus, memory, disk, ...rest }] of Object.entries(saved.snapshots)) {
      const children = Object.entries(saved.snapshots).filter(([, { parent }]) => parent === name);
      snapshots[name] = {
        ...{ ...rest, children: children.map(([child]) => child), mounts: {}, size: '1.2GiB' },
        ...{ cpu_count: String(cpus), disk_space: String(disk), memory_size: String(memory) },
      };
    }
    info[saved.name] = { snapshots };
  }
  return { errors: [], info };
}

async function seen(daemon: Daemon, instance: Instance, addresses: boolean) {
  const faults = await daemon.faults();
  const state = faults.state ?? (await instance.state());
  if (!addresses || state !== 'Running') return { state, ipv4: [] };
  const address = faults.noAddress ? undefined : (faults.address ?? instance.saved.address);
  return { state, ipv4: [address ?? 'N/A'] };
}
