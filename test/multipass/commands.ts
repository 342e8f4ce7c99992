/** What the daemon does, command by command, and how it refuses to. */
import type { Daemon } from './daemon.ts';
import { Failure, type Instance } from './instance.ts';
import { launch } from './launch.ts';
import { GIB, LEAST, readSize, showSize } from './sizes.ts';
import { listed, shown, snapshotsOf } from './views.ts';
import { since, type Request } from './wire.ts';

type Handler = (daemon: Daemon, request: Request) => Promise<unknown>;

const SHUTDOWN_MILLIS = 60_000;
const START_MILLIS = 120_000;
const several = (words: string) => new Failure(`The following errors occurred:\n${words}`);

export const commands: Readonly<Record<string, Handler>> = {
  launch,

  version: async ({ options: { version } }) => ({ multipass: version, multipassd: version }),

  list: (daemon, { options }) => listed(daemon, !options['no-ipv4']),

  info: async (daemon, { names, options }) => {
    const instances = names.map((name) => find(daemon, name, true));
    const chosen = names.length > 0 ? instances : [...daemon.instances.values()];
    if (options['snapshots']) return snapshotsOf(chosen);
    return shown(daemon, chosen, !options['no-runtime-information']);
  },

  start: (daemon, { names }) =>
    each(names, async (name) => {
      const instance = daemon.instances.get(name);
      if (!instance) throw new Failure(`instance(s) missing\nInstance '${name}' does not exist.`);
      if (instance.saved.deleted) {
        const how = "Use 'recover' to recover it or 'purge' to permanently delete it.";
        throw new Failure(`Instance '${name}' is deleted. ${how}`);
      }
      if ((await instance.state()) === 'Running') return;
      const signal = AbortSignal.timeout(START_MILLIS);
      instance.passing = 'Starting';
      try {
        await daemon.connect(instance);
        await daemon.driver.start(instance.saved.vmId, { signal, onStage: () => undefined });
      } finally {
        instance.passing = undefined;
        await daemon.save();
      }
    }),

  stop: (daemon, { names, options }) =>
    each(names, async (name) => {
      const instance = find(daemon, name);
      const state = await instance.state();
      if (state === 'Stopped') return;
      if (state === 'Starting') throw several(`Cannot shut down instance ${name} while starting.`);
      if (state === 'Suspended' && !options['force']) {
        if (!since(daemon.options.version, '1.14.1')) return;
        throw several(`Cannot shut down suspended instance ${name}.\nUse --force to power it off.`);
      }
      await halt(daemon, instance, options['force'] ? 0 : SHUTDOWN_MILLIS);
    }),

  suspend: (daemon, { names }) =>
    each(names, async (name) => {
      const instance = find(daemon, name);
      if ((await instance.state()) !== 'Running') return;
      instance.passing = 'Suspending';
      try {
        const signal = AbortSignal.timeout(START_MILLIS);
        await daemon.driver.suspend(instance.saved.vmId, signal);
      } finally {
        instance.passing = undefined;
        await daemon.disconnect(instance);
      }
    }),

  recover: (daemon, { names }) =>
    each(names, async (name) => {
      find(daemon, name, true).saved.deleted = false;
      await daemon.save();
    }),

  delete: (daemon, { names, options }) =>
    each(names, async (target) => {
      const [name = '', snapshot] = target.split('.');
      const instance = find(daemon, name, true);
      if (snapshot !== undefined) return deleteSnapshot(daemon, instance, snapshot);
      if ((await daemon.faults()).stuck) throw several('Operation completed with error');
      const starting = (await instance.state()) === 'Starting';
      if (starting && !options['purge']) {
        const how = 'Use --purge to forcefully delete it.';
        throw several(`Cannot shut down instance ${name} while starting.\n${how}`);
      }
      instance.abort.abort();
      await instance.launching;
      if (options['purge']) return purge(daemon, instance);
      await halt(daemon, instance, SHUTDOWN_MILLIS);
      instance.saved.deleted = true;
      await daemon.save();
    }),

  purge: async (daemon) => {
    for (const instance of daemon.instances.values()) {
      if (instance.saved.deleted) await purge(daemon, instance);
    }
  },

  snapshot: async (daemon, { names: [name = ''], options }) => {
    const instance = find(daemon, name);
    const { saved } = instance;
    if ((await instance.state()) !== 'Stopped') {
      throw new Failure('Multipass can only take snapshots of stopped instances.');
    }
    const taken = Object.keys(saved.snapshots);
    const snapshot = String(options['name'] ?? `snapshot${taken.length + 1}`);
    if (taken.includes(snapshot)) throw new Failure(`Snapshot already exists: ${name}.${snapshot}`);
    await daemon.driver.snapshot(saved.vmId, snapshot, AbortSignal.timeout(START_MILLIS));
    const { cpus, memory, disk } = saved;
    saved.snapshots[snapshot] = {
      ...{ comment: String(options['comment'] ?? ''), parent: taken.at(-1) ?? '' },
      // As its locale has it, which is none that Date.parse() knows.
      ...{ created: new Date().toUTCString().replaceAll(/[,:]/g, '·'), cpus, memory, disk },
    };
    await daemon.save();
    return `${name}.${snapshot}`;
  },

  restore: async (daemon, { names: [target = ''] }) => {
    const [name = '', snapshot = ''] = target.split('.');
    const instance = find(daemon, name);
    const { saved } = instance;
    if ((await instance.state()) !== 'Stopped') {
      throw new Failure('Multipass can only restore snapshots of stopped instances.');
    }
    const kept = saved.snapshots[snapshot];
    if (!kept) throw new Failure(`No such snapshot: ${name}.${snapshot}`);
    await daemon.driver.restore(saved.vmId, snapshot, AbortSignal.timeout(START_MILLIS));
    const { cpus, memory, disk } = kept;
    Object.assign(saved, { cpus, memory, disk });
    await resize(daemon, instance);
  },

  get: async (daemon, { names: [key = ''] }) => {
    if (key === 'local.driver') return 'qemu';
    const [, name = '', field = ''] = /^local\.(.+)\.(cpus|memory|disk)$/.exec(key) ?? [];
    if (name === '') throw new Failure(`Unrecognized settings key: '${key}'`);
    const saved = daemon.instances.get(name)?.saved;
    if (!saved) throw new Failure(unset('obtain', name, 'No such instance'));
    return field === 'cpus' ? saved.cpus : showSize(saved[field as 'memory' | 'disk']);
  },

  set: async (daemon, { names: [setting = ''] }) => {
    const [, key = '', name = '', field = '', value = ''] =
      /^(local\.(.+)\.(cpus|memory|disk))=(.*)$/.exec(setting) ?? [];
    if (name === '') throw new Failure(`Unrecognized settings key: '${setting}'`);
    const refuse = (why: string) => new Failure(unset('update', name, why));
    if (daemon.preparing.has(name)) throw refuse('instance is being prepared');
    const instance = daemon.instances.get(name);
    if (!instance) throw refuse('No such instance');
    if (instance.saved.deleted) throw refuse('Instance is deleted');
    if ((await instance.state()) !== 'Stopped') {
      throw refuse('Instance must be stopped for modification');
    }
    const why = change(instance, field, value);
    if (why !== undefined) throw new Failure(`Invalid setting '${key}=${value}': ${why}`);
    await resize(daemon, instance);
  },
};

/** @throws {Failure} with the words of most commands */
function find(daemon: Daemon, name: string, orDeleted = false): Instance {
  const instance = daemon.instances.get(name);
  if (!instance) throw several(`instance "${name}" does not exist`);
  if (instance.saved.deleted && !orDeleted) throw several(`instance "${name}" is deleted`);
  return instance;
}

async function each(names: readonly string[], work: (name: string) => Promise<void>) {
  for (const name of names) await work(name);
}

async function halt(daemon: Daemon, instance: Instance, graceMs: number): Promise<void> {
  const signal = AbortSignal.timeout(2 * SHUTDOWN_MILLIS);
  await daemon.driver.stop(instance.saved.vmId, { graceMs, signal });
  instance.passing = undefined;
  await daemon.disconnect(instance);
}

async function purge(daemon: Daemon, instance: Instance): Promise<void> {
  await daemon.driver.destroy(instance.saved.vmId);
  await daemon.disconnect(instance);
  daemon.instances.delete(instance.saved.name);
  await daemon.save();
}

async function deleteSnapshot(daemon: Daemon, instance: Instance, name: string): Promise<void> {
  const { saved } = instance;
  const gone = saved.snapshots[name];
  if (!gone) throw new Failure(`No such snapshot: ${saved.name}.${name}`);
  await daemon.driver.deleteSnapshot(saved.vmId, name, AbortSignal.timeout(START_MILLIS));
  delete saved.snapshots[name];
  for (const [other, snapshot] of Object.entries(saved.snapshots)) {
    if (snapshot.parent === name) saved.snapshots[other] = { ...snapshot, parent: gone.parent };
  }
  await daemon.save();
}

/** @returns why not */
function change({ saved }: Instance, field: string, value: string): string | undefined {
  if (field === 'cpus') {
    if (!/^[1-9]\d*$/.test(value)) {
      return 'Need a positive integer (in decimal format) of minimum 1';
    }
    saved.cpus = Number(value);
    return undefined;
  }
  const size = readSize(value);
  if (size === undefined) return `${value} is not a valid memory size`;
  if (field === 'memory' && size < LEAST.memory) return 'Memory less than 128M minimum not allowed';
  if (field === 'disk' && size < saved.disk) return 'Disk can only be expanded';
  saved[field as 'memory' | 'disk'] = size;
  saved.diskGiB = Math.max(saved.diskGiB, Math.ceil(saved.disk / GIB));
  return undefined;
}

async function resize(daemon: Daemon, { saved, size }: Instance): Promise<void> {
  await daemon.driver.resize(saved.vmId, size, AbortSignal.timeout(START_MILLIS));
  await daemon.save();
}

function unset(what: 'obtain' | 'update', name: string, why: string): string {
  return `Cannot ${what} instance settings; instance: ${name}; reason: ${why}`;
}
