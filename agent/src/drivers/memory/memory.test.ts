import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { testDriver } from '../conformance/suite.ts';
import { DriverError, type GuestSpec } from '../driver.ts';
import { createMemoryDriver } from './driver.ts';
import { memoryImage } from './image.ts';

async function prepareSpec(authorizedKey: string): Promise<GuestSpec> {
  const hostKey = await generateOpenSshKeyPair();
  const indented = hostKey.privateKey.trim().replaceAll('\n', '\n    ');
  return {
    vmId: newVmId(),
    cpus: 1,
    memoryMiB: 128,
    storageGiB: 1,
    image: memoryImage,
    seed: {
      userData: `#cloud-config
ssh_authorized_keys:
  - ${authorizedKey}
ssh_keys:
  ed25519_private: |
    ${indented}
`,
      metaData: 'instance-id: one\nlocal-hostname: web\n',
    },
    hostKey: hostKey.publicKey,
  };
}

/** What the suite breaks. */
const broken = { launch: new Set<string>(), destroy: false, reachable: true };
const failing = (what: string) => new DriverError('unavailable', what);
const reach = async () => {
  if (!broken.reachable) throw failing('no answer');
};
/** Breaks something until it is disposed of. */
const until = (mend: () => void): AsyncDisposable => ({
  [Symbol.asyncDispose]: async () => mend(),
});

testDriver({
  name: 'memory',
  capabilities: ['suspend', 'snapshot', 'resize'],
  measures: ['cpuSeconds', 'memoryBytes', 'diskBytes', 'receivedBytes', 'sentBytes'],
  open: (stateDir) =>
    createMemoryDriver({
      stateDir,
      faults: {
        launch: async (vmId, stage) => {
          if (broken.launch.has(vmId) && stage === 'boot') {
            throw new DriverError('failed', 'no room on the disk');
          }
        },
        destroy: async () => {
          if (broken.destroy) throw failing('the disk is busy');
        },
        inspect: reach,
        stop: reach,
        dial: reach,
      },
    }),
  prepareSpec,
  powerOff: 'poweroff',
  timeouts: { bootMillis: 5_000, graceMillis: 1_000 },
  faults: {
    launch: async (spec) => {
      broken.launch.add(spec.vmId);
      return spec;
    },
    destroy: async () => {
      broken.destroy = true;
      return until(() => (broken.destroy = false));
    },
    unreachable: async () => {
      broken.reachable = false;
      return until(() => (broken.reachable = true));
    },
    junk: async ({ stateDir, vmId }) => {
      const path = join(stateDir, `${vmId}.json`);
      const record = await readFile(path);
      await writeFile(path, '{"state":');
      return { [Symbol.asyncDispose]: () => writeFile(path, record) };
    },
  },
});

testDriver({
  name: 'memory (which can do nothing more)',
  capabilities: [],
  measures: ['cpuSeconds', 'memoryBytes', 'diskBytes', 'receivedBytes', 'sentBytes'],
  open: (stateDir) => createMemoryDriver({ stateDir, capabilities: [] }),
  prepareSpec,
  powerOff: 'poweroff',
  timeouts: { bootMillis: 5_000, graceMillis: 1_000 },
});

describe('what a test can put in the way of a memory guest', () => {
  const context = () => ({ signal: AbortSignal.timeout(5_000), onStage: () => undefined });
  let stateDir: string;

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'golem-'));
  });
  afterEach(() => rm(stateDir, { recursive: true, force: true }));

  test('a launch that fails at a stage leaves what it made until it is destroyed', async () => {
    await using driver = await createMemoryDriver({
      stateDir,
      faults: {
        launch: async (_vmId, stage) => {
          if (stage === 'boot') throw new DriverError('failed', 'no room on the disk');
        },
      },
    });
    const spec = await prepareSpec('ssh-ed25519 AAAA');
    await expect(driver.launch(spec, context())).rejects.toThrow('no room on the disk');
    expect(await driver.inspect(spec.vmId)).toMatchObject({ state: 'stopped' });
    await driver.destroy(spec.vmId);
    expect(await readdir(stateDir)).toEqual([]);
  });

  test('a launch that hangs is half made to another instance, and ends by abort', async () => {
    const reached = Promise.withResolvers<void>();
    await using driver = await createMemoryDriver({
      stateDir,
      faults: {
        launch: async (_vmId, stage, signal) => {
          if (stage !== 'ssh') return;
          reached.resolve();
          await once(signal, 'abort');
        },
      },
    });
    const spec = await prepareSpec('ssh-ed25519 AAAA');
    const abort = new AbortController();
    const launch = driver.launch(spec, { ...context(), signal: abort.signal });
    await reached.promise;
    await using other = await createMemoryDriver({ stateDir });
    expect(await other.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
    abort.abort();
    await expect(launch).rejects.toMatchObject({ code: 'aborted' });
  });

  test('a guest that was destroyed in the middle of its launch does not come back', async () => {
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    await using driver = await createMemoryDriver({
      stateDir,
      faults: {
        launch: async () => {
          reached.resolve();
          await goOn.promise;
        },
      },
    });
    const spec = await prepareSpec('ssh-ed25519 AAAA');
    const launch = driver.launch(spec, context());
    await reached.promise;
    await driver.destroy(spec.vmId);
    goOn.resolve();
    await expect(launch).rejects.toMatchObject({ code: 'absent' });
    expect(await readdir(stateDir)).toEqual([]);
  });

  test('a hypervisor that cannot be asked makes guests unknown, not absent', async () => {
    let reachable = true;
    await using driver = await createMemoryDriver({
      stateDir,
      faults: {
        inspect: async () => {
          if (!reachable) throw new DriverError('unavailable', 'no answer');
        },
      },
    });
    const spec = await prepareSpec('ssh-ed25519 AAAA');
    await driver.launch(spec, context());
    reachable = false;
    expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'unknown' }]);
    reachable = true;
    expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
  });

  test('a damaged record is an unknown guest that can be destroyed', async () => {
    await using driver = await createMemoryDriver({ stateDir });
    const spec = await prepareSpec('ssh-ed25519 AAAA');
    await writeFile(join(stateDir, `${spec.vmId}.json`), '{"state":');
    expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'unknown' }]);
    await driver.destroy(spec.vmId);
    expect(await driver.list()).toEqual([]);
  });

  test('a seed that makes no sense fails the launch', async () => {
    await using driver = await createMemoryDriver({ stateDir });
    const spec = await prepareSpec('ssh-ed25519 AAAA');
    const seed = { ...spec.seed, userData: '#cloud-config\n- not: a map\n' };
    await expect(driver.launch({ ...spec, seed }, context())).rejects.toMatchObject({
      code: 'failed',
    });
  });
});
