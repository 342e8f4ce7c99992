/** `launch`: it lasts until the guest answers SSH, whoever waits for it. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { DriverError, type GuestSpec } from '../../agent/src/drivers/driver.ts';
import { BadCloudInit, hostKeyOf, smallSeed, userDataOf } from './cloud-init.ts';
import type { Daemon } from './daemon.ts';
import { Failure, Instance } from './instance.ts';
import { GIB, LEAST, readSize } from './sizes.ts';
import type { Request } from './wire.ts';

const BOOT_MILLIS = 120_000;
const NAME = /^(?:[a-zA-Z]|[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9])$/;
/** Multipass' own, by which it looks into guests. */
const OWN_KEY = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQC7 ubuntu@localhost';

export async function launch(daemon: Daemon, { names, options, stdin }: Request): Promise<string> {
  const { instances, preparing } = daemon;
  const name = String(options['name'] ?? `random-${newVmId().slice(3, 9)}`);
  const size = readSizes(options);
  const bad = (words: string) => new Failure(`Invalid arguments supplied\n${words}`);
  if (!NAME.test(name)) throw bad(`Invalid instance name supplied: ${name}`);
  if (size.memory === undefined || size.memory < LEAST.memory) {
    throw bad(`Invalid memory size value supplied: ${String(options['memory'])}.`);
  }
  if (size.disk === undefined || size.disk < LEAST.disk) {
    throw bad(`Invalid disk size value supplied: ${String(options['disk'])}.`);
  }
  if (instances.has(name)) throw new Failure(`instance "${name}" already exists`);
  if (preparing.has(name)) throw new Failure(`instance "${name}" is being prepared`);
  preparing.add(name);
  try {
    const { version } = daemon.options;
    const userData = stdin === '' ? '#cloud-config\n{}\n' : userDataOf(stdin, OWN_KEY, version);
    const disk = await prepareImage(daemon, names[0] ?? 'default');
    const { memory, disk: space } = size as { memory: number; disk: number };
    const instance = new Instance(
      {
        ...{ name, vmId: newVmId(), deleted: false, cpus: size.cpus, memory, disk: space },
        ...{ diskGiB: Math.ceil(space / GIB), address: undefined, userData, snapshots: {} },
      },
      daemon.driver,
    );
    instance.passing = 'Starting';
    instances.set(name, instance);
    await daemon.save();
    const booting = boot(daemon, instance, disk);
    instance.launching = booting.catch(() => undefined);
    preparing.delete(name);
    await booting;
    return name;
  } catch (error) {
    if (error instanceof BadCloudInit) throw new Failure(error.message);
    throw error;
  } finally {
    preparing.delete(name);
  }
}

function readSizes(options: Request['options']) {
  return {
    cpus: Number(options['cpus'] ?? 1),
    memory: readSize(String(options['memory'] ?? '1G')),
    disk: readSize(String(options['disk'] ?? '5G')),
  };
}

/** @returns the path of the image's file */
async function prepareImage(daemon: Daemon, image: string): Promise<string> {
  await sleep((await daemon.faults()).prepareMillis ?? 0);
  if (image.startsWith('file://')) {
    const path = fileURLToPath(image);
    if (!existsSync(path)) throw new Failure(`Custom image \`${path}\` does not exist.`);
    return path;
  }
  if (/^(?:default|lts|[a-z]+|\d\d\.\d\d)$/.test(image)) return daemon.options.image.disk;
  throw new Failure(`Unable to find an image matching "${image}"`);
}

async function boot(daemon: Daemon, instance: Instance, disk: string): Promise<void> {
  const { saved, abort, size } = instance;
  const made = await generateOpenSshKeyPair();
  const spec: GuestSpec = {
    ...{ vmId: saved.vmId, ...size, hostKey: hostKeyOf(saved.userData) ?? made.publicKey },
    image: { ...daemon.options.image, disk },
    seed: smallSeed(saved.userData, saved.name, made),
  };
  const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(BOOT_MILLIS)]);
  try {
    await daemon.driver.launch(spec, { signal, onStage: () => undefined });
    await daemon.connect(instance);
    if ((await daemon.faults()).silent) throw new DriverError('timeout', 'It does not answer.');
    instance.passing = undefined;
    await daemon.save();
  } catch (error) {
    // An instance that does not answer stays; one that could not be started is rolled back.
    instance.passing = 'Unknown';
    const stays = error instanceof DriverError && /timeout|aborted/.test(error.code);
    if (!stays) {
      await daemon.driver.destroy(saved.vmId);
      daemon.instances.delete(saved.name);
      await daemon.save();
    }
    const why = stays ? 'timed out waiting for response' : (error as Error).message;
    throw new Failure(`The following errors occurred:\n${saved.name}: ${why}`);
  }
}
