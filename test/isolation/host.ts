/**
 * Runs on the provider's machine of the small Internet and does there what the test asks for by
 * messages: it is the part of an agent that has guests, and can be killed like one.
 */
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { SshClient } from '../../agent/src/drivers/conformance/openssh.ts';
import type { Driver, GuestImage, GuestSpec } from '../../agent/src/drivers/driver.ts';
import { createQemuDriver } from '../../agent/src/drivers/qemu/driver.ts';
import { command } from '../../agent/src/drivers/qemu/network/commands.ts';
import { entering, findHolder } from '../../agent/src/drivers/qemu/network/pasta/namespace.ts';
import type { GuestNetwork } from '../../agent/src/drivers/qemu/network/network.ts';
import { openPastaNetwork } from '../../agent/src/drivers/qemu/network/pasta/network.ts';
import { unisolatedNetwork } from '../../agent/src/drivers/qemu/network/restricted.ts';
import { openTapNetwork } from '../../agent/src/drivers/qemu/network/tap/network.ts';
import { openCatalogue } from '../../agent/src/images/catalogue.ts';
import { selfTest } from '../../agent/src/isolation/self-test.ts';
import { renderSeed } from '../../agent/src/vms/seed.ts';

export type Backend = 'tap' | 'pasta' | 'none';

export interface HostOptions {
  readonly dir: string;
  readonly images: string;
  readonly backend: Backend;
  readonly discovery: string;
  readonly resolver: string;
  readonly publicAddress: string;
}

const patience = () => AbortSignal.timeout(120_000);
const options = JSON.parse(process.argv[2] ?? '') as HostOptions;
const guests = new Map<string, { spec: GuestSpec; client: SshClient }>();

const { dir, backend, resolver, publicAddress } = options;
const network = await openNetwork('network');
const driver = await openDriver('guests', network);
const image = await openImage();

/** What the test may ask for. */
const acts = {
  async launch(): Promise<string> {
    const vmId = newVmId();
    const folder = join(dir, `keys-${vmId}`);
    await mkdir(folder);
    const client = await SshClient.create(folder);
    const hostKey = await generateOpenSshKeyPair();
    const seed = renderSeed({
      instanceId: `i-${vmId}`,
      hostname: 'guest',
      sshKeys: [client.publicKey],
      hostKey,
    });
    const size = { cpus: 1, memoryMiB: 128, storageGiB: 1 };
    const spec: GuestSpec = { vmId, ...size, image, seed, hostKey: hostKey.publicKey };
    guests.set(vmId, { spec, client });
    await driver.launch(spec, { signal: patience(), onStage: () => undefined });
    return vmId;
  },

  /** What a shell in the guest prints. */
  async run(vmId: string, line: string): Promise<string> {
    const guest = guests.get(vmId);
    if (!guest) throw new Error(`${vmId} was launched by another agent`);
    return (await guest.client.run(driver, guest.spec, line)).stdout.toString();
  },

  /** What the guest's sshd says first: for guests of an earlier agent, whose keys are gone. */
  async banner(vmId: string): Promise<string> {
    const stream = await driver.dial(vmId, patience());
    const [first] = (await once(stream, 'data')) as [Buffer];
    stream.destroy();
    return first.toString();
  },

  async selfTest() {
    const probe = await openNetwork('probe-net');
    await using own = await openDriver('probe', probe);
    const { discovery } = options;
    const facts = { discovery, resolvers: [resolver], publicAddresses: [publicAddress] };
    return selfTest(own, image, facts, patience());
  },

  /** The rules as the kernel has them. */
  async rules(vmId: string): Promise<string> {
    if (backend === 'tap') return command(['nft', 'list', 'ruleset']);
    const holder = await findHolder(join(dir, 'network', vmId));
    if (holder === undefined) throw new Error('the namespace is gone');
    return command([...entering(holder), 'nft', 'list', 'ruleset']);
  },

  list: () => driver.list(),
  traffic: (vmId: string) => network.traffic(vmId),
  limit: (vmId: string, bitsPerSecond: number) => network.limit(vmId, bitsPerSecond),
  refresh: (addresses: readonly string[]) => network.refresh(addresses),
  destroy: (vmId: string) => driver.destroy(vmId),
};
export type Acts = typeof acts;

process.on('message', ({ id, act, args }: { id: number; act: keyof Acts; args: unknown[] }) => {
  const work = acts[act] as (...given: unknown[]) => Promise<unknown>;
  work(...args).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
process.send?.({ id: 0 });

function openNetwork(folder: string): Promise<GuestNetwork> | GuestNetwork {
  const common = { dir: join(dir, folder), resolvers: [resolver], closed: [publicAddress] };
  if (backend === 'none') return unisolatedNetwork;
  return backend === 'tap' ? openTapNetwork(common) : openPastaNetwork(common);
}

function openDriver(folder: string, guestNetwork: GuestNetwork): Promise<Driver> {
  return createQemuDriver({
    stateDir: join(dir, folder),
    allowEmulation: true,
    network: guestNetwork,
  });
}

async function openImage(): Promise<GuestImage> {
  const catalogue = await openCatalogue({
    cacheDir: join(dir, 'images'),
    localDirs: [options.images],
    official: false,
    arch: 'x86_64',
  });
  return catalogue.resolve('debian-12-tiny', patience());
}
