/**
 * Boots a guest that belongs to nobody and has it try where it gets to. The table that comes out is
 * what a provider can rely on: it is seen from inside, with the machine's real rules and real routers.
 */
import { once } from 'node:events';
import { createServer, isIP, type AddressInfo } from 'node:net';
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import type { Driver, GuestImage } from '../drivers/driver.ts';
import { renderSeed } from '../vms/seed.ts';
import { destinations, evaluate, type Destination, type SelfTestResult } from './destinations.ts';
import { GuestLogin } from './login.ts';
import { guestAddresses, readSurroundings, type SelfTestFacts } from './surroundings.ts';

/** A cloud image under emulation takes a minute. */
const BOOT_MILLIS = 5 * 60_000;
/** Larger than every image; a disk takes no more than what is written to it. */
const STORAGE_GIB = 10;
/** Few enough for the smallest sshd. */
const AT_ONCE = 8;

/**
 * @param driver with guests of its own: none of them is left afterwards
 * @throws {DriverError} when the guest does not boot
 * @throws {GolemError} `discovery_unreachable` when this machine itself does not reach the Internet
 */
export async function selfTest(
  driver: Driver,
  image: GuestImage,
  facts: SelfTestFacts,
  signal: AbortSignal,
): Promise<SelfTestResult> {
  for (const { vmId } of await driver.list()) await driver.destroy(vmId);
  await using resources = new AsyncDisposableStack();
  const listener = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  resources.defer(() => void listener.close());
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const guests = await guestAddresses();

  const vmId = newVmId();
  resources.defer(() => driver.destroy(vmId));
  const login = resources.use(await boot(driver, image, vmId, signal));
  // With the guest's own gateway, which is there only now.
  const tried = destinations(await readSurroundings(facts, port, guests));
  return evaluate(tried, await reachedFrom(login, tried, signal));
}

/** A small sshd waits for a name to be found and does nothing else meanwhile: names come last. */
async function reachedFrom(
  login: GuestLogin,
  tried: readonly Destination[],
  signal: AbortSignal,
): Promise<Set<Destination>> {
  const reached = new Set<Destination>();
  const reach = async (destination: Destination) => {
    signal.throwIfAborted();
    if (await login.reaches(destination)) reached.add(destination);
  };
  const addresses = tried.filter(({ host }) => isIP(host) !== 0);
  for (let at = 0; at < addresses.length; at += AT_ONCE) {
    await Promise.all(addresses.slice(at, at + AT_ONCE).map(reach));
  }
  for (const named of tried.filter(({ host }) => isIP(host) === 0)) await reach(named);
  return reached;
}

async function boot(
  driver: Driver,
  image: GuestImage,
  vmId: string,
  outer: AbortSignal,
): Promise<GuestLogin> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(BOOT_MILLIS)]);
  const [hostKey, key] = await Promise.all([generateOpenSshKeyPair(), generateOpenSshKeyPair()]);
  const seed = renderSeed({
    instanceId: `i-${vmId}`,
    hostname: 'self-test',
    sshKeys: [key.publicKey],
    hostKey,
  });
  const size = { cpus: 1, memoryMiB: image.minMemoryMiB, storageGiB: STORAGE_GIB };
  await driver.launch(
    { ...size, vmId, image, seed, hostKey: hostKey.publicKey },
    { signal, onStage: () => undefined },
  );
  const { user } = image;
  const { privateKey } = key;
  return GuestLogin.open(driver, { vmId, user, privateKey, hostKey: hostKey.publicKey, signal });
}
