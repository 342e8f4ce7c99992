/**
 * For an agent that is root: each guest has a network device of the host to itself, and one table of
 * rules stands between all of them and the world. SSH goes to the guest's own address, so no port of
 * the host is taken.
 */
import { mkdir, realpath } from 'node:fs/promises';
import { DriverError } from '../../../driver.ts';
import { dialTcp } from '../../../tcp.ts';
import { Turns } from '../../../turns.ts';
import {
  conflictingRoute,
  formatNetwork,
  network,
  ownNetworks,
  slotCount,
  type HostNetwork,
  type Network,
  type SlotAddresses,
} from '../addresses.ts';
import { cardArguments, networkDocument } from '../card.ts';
import { readHostNetwork } from '../host.ts';
import type {
  Connection,
  GuestNetwork,
  IsolationOptions,
  OpenOptions,
  SshEndpoint,
  SweptGuest,
  Traffic,
} from '../network.ts';
import { Records, trafficOf } from '../records.ts';
import { addDevice, devicesOf, raiseDevice, removeDevice } from './device.ts';
import { Forwarding } from './forwarding.ts';
import { ensurePrefix } from './prefix.ts';
import { Ruleset } from './ruleset.ts';
import { namingOf, Slots } from './slots.ts';

export interface TapOptions extends IsolationOptions {
  /** What guests have their addresses from; chosen when there is none. */
  readonly guestNetwork?: Network | undefined;
}

const SSH_PORT = 22;

export async function openTapNetwork(options: TapOptions): Promise<GuestNetwork> {
  const { dir, guestNetwork, resolvers, closed, cap } = options;
  await mkdir(dir, { recursive: true, mode: 0o711 });
  const { table, devicePrefix, seed } = namingOf(await realpath(dir));
  const host = await readHostNetwork(devicePrefix);
  const taken = [...host.routes.map(({ destination }) => destination), ...ownNetworks(host)];
  const prefix = await ensurePrefix(
    dir,
    async () => (await Records.open(dir, Infinity)).ids.length > 0,
    { wanted: guestNetwork, seed, taken: taken.filter(({ bits }) => bits > 0) },
  );
  const records = await Records.open(dir, slotCount(prefix));
  const forwarding = await Forwarding.open({ dir });
  const slots = new Slots(prefix, devicePrefix);
  const ruleset = new Ruleset({
    ...{ table, devicePrefix, slots, records, forwarding, resolvers, closed },
  });
  return new TapNetwork({ devicePrefix, slots, records, forwarding, ruleset, resolvers, cap });
}

interface TapParts extends Pick<TapOptions, 'resolvers' | 'cap'> {
  readonly devicePrefix: string;
  readonly slots: Slots;
  readonly records: Records;
  readonly forwarding: Forwarding;
  readonly ruleset: Ruleset;
}

class TapNetwork implements GuestNetwork {
  readonly isolation = 'full';
  readonly #parts: TapParts;
  /** Guests whose devices are there. */
  readonly #open = new Set<string>();
  readonly #turns = new Turns();
  #counting: Promise<void> | undefined;

  constructor(parts: TapParts) {
    this.#parts = parts;
  }

  async document(vmId: string): Promise<string> {
    const { records, slots, resolvers } = this.#parts;
    const { guest, gateway, bits } = slots.addresses(await records.ensure(vmId));
    return networkDocument(vmId, { address: `${guest}/${bits}`, gateway, nameservers: resolvers });
  }

  async open(vmId: string, { user, signal }: OpenOptions): Promise<Connection> {
    const { records, slots, forwarding, ruleset, cap } = this.#parts;
    const record = await records.ensure(vmId);
    const device = slots.device(record);
    const addresses = slots.addresses(record);
    await this.#turns.take(async () => {
      if (signal.aborted) throw new DriverError('aborted', 'The start was stopped.');
      try {
        const host = await ruleset.host();
        refuseConflict(host, addresses);
        await removeDevice(device);
        await addDevice(device, user);
        this.#open.add(vmId);
        await records.cap(vmId, cap);
        await forwarding.look();
        // Before the first packet.
        await ruleset.load(this.#open, host);
        await raiseDevice(device, addresses);
        await forwarding.turnOn();
      } catch (error) {
        this.#open.delete(vmId);
        await removeDevice(device);
        throw error;
      }
    });
    const netdev = `tap,id=net0,ifname=${device},script=no,downscript=no`;
    return { arguments: cardArguments(vmId, netdev), wrap: (words) => words };
  }

  async close(vmId: string): Promise<void> {
    const { records, slots, ruleset } = this.#parts;
    await this.#turns.take(async () => {
      const record = records.get(vmId);
      if (record) await removeDevice(slots.device(record));
      if (this.#open.delete(vmId)) await ruleset.load(this.#open);
    });
  }

  async forget(vmId: string): Promise<void> {
    const { records, slots, ruleset } = this.#parts;
    await this.#turns.take(async () => {
      const record = records.get(vmId);
      if (!record) return;
      await removeDevice(slots.device(record));
      this.#open.delete(vmId);
      await records.delete(vmId);
      await ruleset.load(this.#open);
    });
  }

  async sweep(guests: readonly SweptGuest[]): Promise<void> {
    const { records, slots, devicePrefix, ruleset } = this.#parts;
    await this.#turns.take(async () => {
      const known = new Map(guests.map((guest) => [guest.vmId, guest.running]));
      for (const vmId of records.ids) if (!known.has(vmId)) await records.delete(vmId);
      const owners = new Map(records.entries.map(([vmId, record]) => [slots.device(record), vmId]));
      for (const device of await devicesOf(devicePrefix)) {
        const vmId = owners.get(device);
        if (vmId !== undefined && known.get(vmId)) this.#open.add(vmId);
        else await removeDevice(device);
      }
      await ruleset.load(this.#open);
    });
  }

  async locate(vmId: string): Promise<SshEndpoint> {
    const { records, slots } = this.#parts;
    const record = records.get(vmId);
    if (!record) throw new DriverError('unavailable', 'The address of the guest is not known.');
    const { guest } = slots.addresses(record);
    return { dial: (signal) => dialTcp(guest, SSH_PORT, signal) };
  }

  async traffic(vmId: string): Promise<Traffic | undefined> {
    // Whoever asks at the same time is answered from the same listing.
    this.#counting ??= this.#turns
      .take(async () => void (await this.#parts.ruleset.count()))
      .finally(() => (this.#counting = undefined));
    await this.#counting;
    return trafficOf(this.#parts.records.get(vmId));
  }

  async limit(vmId: string, bitsPerSecond: number | undefined): Promise<void> {
    const { records, ruleset } = this.#parts;
    await this.#turns.take(async () => {
      const record = records.get(vmId);
      if (!record || record.bitsPerSecond === bitsPerSecond) return;
      await records.update(vmId, { ...record, bitsPerSecond });
      if (this.#open.has(vmId)) await ruleset.load(this.#open);
    });
  }

  async refresh(publicAddresses: readonly string[]): Promise<void> {
    const { records, forwarding, ruleset } = this.#parts;
    ruleset.seenAs(publicAddresses);
    await this.#turns.take(async () => {
      if (records.ids.length === 0) return;
      await ruleset.refresh(this.#open);
      if (this.#open.size > 0) await forwarding.turnOn();
    });
  }
}

function refuseConflict(host: HostNetwork, { gateway, bits }: SlotAddresses): void {
  const mine = network(`${gateway}/${bits}`);
  const other = conflictingRoute(host.routes, mine);
  if (!other) return;
  throw new DriverError(
    'unavailable',
    `The guest network is in use: ${formatNetwork(other.destination)} is reached by ${other.device}. Remove that route; or set guest-network to another one when no guest is left.`,
  );
}
