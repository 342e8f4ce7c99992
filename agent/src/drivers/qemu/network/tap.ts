/**
 * For an agent that is root: each guest has a network device of the host to itself, and one table of
 * rules stands between all of them and the world. SSH goes to the guest's own address, so no port of
 * the host is taken.
 */
import { createHash } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { DriverError } from '../../driver.ts';
import { dialTcp } from '../../tcp.ts';
import {
  closedNetworks,
  conflictingRoute,
  formatNetwork,
  network,
  ownNetworks,
  slotAddresses,
  slotCount,
  type HostNetwork,
  type Network,
  type SlotAddresses,
} from './addresses.ts';
import { cardArguments, macAddress, networkDocument } from './card.ts';
import { attempt, command, tableNames } from './commands.ts';
import { parseCounters, storedCounts, withCounts } from './counters.ts';
import { Forwarding } from './forwarding.ts';
import { devicesOf, raiseDevice, removeDevice } from './device.ts';
import { readHostNetwork } from './host.ts';
import {
  GUEST_DEVICE,
  type Connection,
  type GuestNetwork,
  type OpenOptions,
  type SshEndpoint,
  type SweptGuest,
  type Traffic,
} from './network.ts';
import {
  removeTable,
  renderConnectionTable,
  renderTapTable,
  type ConnectionRules,
  type GuestCounts,
  type GuestRules,
} from './nft.ts';
import { ensurePrefix } from './prefix.ts';
import { Records, type NetworkRecord } from './records.ts';
import { Turns } from './turns.ts';

export interface TapOptions {
  /** A folder of its own. */
  readonly dir: string;
  /** What guests have their addresses from; chosen when there is none. */
  readonly guestNetwork?: Network | undefined;
  readonly resolvers: readonly string[];
  /** Further addresses that are closed to guests: the provider's public ones. */
  readonly closed: readonly string[];
  /** What a guest may send and receive when it is opened, in bits per second; undefined for no cap. */
  readonly cap?: (() => number | undefined) | undefined;
}

const SSH_PORT = 22;

export async function openTapNetwork(options: TapOptions): Promise<GuestNetwork> {
  await mkdir(options.dir, { recursive: true, mode: 0o711 });
  const digest = createHash('sha256')
    .update(await realpath(options.dir))
    .digest();
  const id = digest.subarray(0, 2).toString('hex');
  // Linux allows 15 characters, and the numbers of 16384 guests take five.
  const devicePrefix = `${GUEST_DEVICE}${id}-`;
  const host = await readHostNetwork(devicePrefix);
  const taken = [...host.routes.map(({ destination }) => destination), ...ownNetworks(host)];
  const prefix = await ensurePrefix(
    options.dir,
    async () => (await Records.open(options.dir, Infinity)).ids.length > 0,
    {
      wanted: options.guestNetwork,
      seed: digest.readUInt16BE(2),
      taken: taken.filter(({ bits }) => bits > 0),
    },
  );
  const records = await Records.open(options.dir, slotCount(prefix));
  const forwarding = await Forwarding.open({ dir: options.dir });
  const table = `golem_${id}`;
  return new TapNetwork({ ...options, table, devicePrefix, prefix, forwarding, records });
}

interface TapParts extends TapOptions {
  readonly table: string;
  readonly devicePrefix: string;
  readonly prefix: Network;
  readonly forwarding: Forwarding;
  readonly records: Records;
}

class TapNetwork implements GuestNetwork {
  readonly isolation = 'full';
  readonly #parts: TapParts;
  /** Guests whose devices are there. */
  readonly #open = new Set<string>();
  readonly #turns = new Turns();
  #publicAddresses: readonly string[] = [];
  /** The networks that were closed when the rules were loaded last. */
  #closed = '';
  #counting: Promise<void> | undefined;

  constructor(parts: TapParts) {
    this.#parts = parts;
  }

  async document(vmId: string): Promise<string> {
    const { guest, gateway, bits } = this.#addresses(await this.#parts.records.ensure(vmId));
    const { resolvers } = this.#parts;
    return networkDocument(vmId, { address: `${guest}/${bits}`, gateway, nameservers: resolvers });
  }

  async open(vmId: string, { user, signal }: OpenOptions): Promise<Connection> {
    const { records, forwarding } = this.#parts;
    const record = await records.ensure(vmId);
    const device = this.#device(record);
    await this.#turns.take(async () => {
      if (signal.aborted) throw new DriverError('aborted', 'The start was stopped.');
      try {
        const host = await this.#host();
        refuseConflict(host, this.#addresses(record));
        await removeDevice(device);
        await command([
          ...['ip', 'tuntap', 'add', 'dev', device, 'mode', 'tap'],
          ...['user', String(user?.uid ?? process.getuid?.() ?? 0)],
        ]);
        this.#open.add(vmId);
        await records.cap(vmId, this.#parts.cap);
        await forwarding.look();
        // Before the first packet.
        await this.#load(host);
        await raiseDevice(device, this.#addresses(record));
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
    await this.#turns.take(async () => {
      const record = this.#parts.records.get(vmId);
      if (record) await removeDevice(this.#device(record));
      if (this.#open.delete(vmId)) await this.#load();
    });
  }

  async forget(vmId: string): Promise<void> {
    await this.#turns.take(async () => {
      const record = this.#parts.records.get(vmId);
      if (!record) return;
      await removeDevice(this.#device(record));
      this.#open.delete(vmId);
      await this.#parts.records.delete(vmId);
      await this.#load();
    });
  }

  async sweep(guests: readonly SweptGuest[]): Promise<void> {
    const { records, devicePrefix } = this.#parts;
    await this.#turns.take(async () => {
      const known = new Map(guests.map((guest) => [guest.vmId, guest.running]));
      for (const vmId of records.ids) if (!known.has(vmId)) await records.delete(vmId);
      for (const device of await devicesOf(devicePrefix)) {
        const vmId = records.ids.find((id) => this.#device(records.get(id)) === device);
        if (vmId !== undefined && known.get(vmId)) this.#open.add(vmId);
        else await removeDevice(device);
      }
      await this.#load();
    });
  }

  async locate(vmId: string): Promise<SshEndpoint> {
    const record = this.#parts.records.get(vmId);
    if (!record) throw new DriverError('unavailable', 'The address of the guest is not known.');
    const { guest } = this.#addresses(record);
    return { dial: (signal) => dialTcp(guest, SSH_PORT, signal) };
  }

  async traffic(vmId: string): Promise<Traffic | undefined> {
    // Whoever asks at the same time is answered from the same listing.
    this.#counting ??= this.#turns
      .take(async () => void (await this.#count()))
      .finally(() => (this.#counting = undefined));
    await this.#counting;
    const record = this.#parts.records.get(vmId);
    return record && { receivedBytes: record.receivedBytes, sentBytes: record.sentBytes };
  }

  async limit(vmId: string, bitsPerSecond: number | undefined): Promise<void> {
    const { records } = this.#parts;
    await this.#turns.take(async () => {
      const record = records.get(vmId);
      if (!record || record.bitsPerSecond === bitsPerSecond) return;
      await records.update(vmId, { ...record, bitsPerSecond });
      if (this.#open.has(vmId)) await this.#load();
    });
  }

  async refresh(publicAddresses: readonly string[]): Promise<void> {
    this.#publicAddresses = publicAddresses;
    await this.#turns.take(async () => {
      const { records, forwarding } = this.#parts;
      if (records.ids.length === 0) return;
      const host = await this.#host();
      const isOther = await forwarding.look();
      const isThere = (await this.#count()) !== undefined;
      const isAsBefore = isThere && !isOther && this.#closedBy(host).join() === this.#closed;
      if (!isAsBefore) await this.#load(host);
      if (this.#open.size > 0) await forwarding.turnOn();
    });
  }

  #addresses({ slot }: NetworkRecord): SlotAddresses {
    return slotAddresses(this.#parts.prefix, slot);
  }

  #device(record: NetworkRecord | undefined): string {
    return `${this.#parts.devicePrefix}${record?.slot}`;
  }

  #host(): Promise<HostNetwork> {
    return readHostNetwork(this.#parts.devicePrefix);
  }

  #closedBy(host: HostNetwork): string[] {
    const { prefix, closed } = this.#parts;
    return closedNetworks(host, [formatNetwork(prefix), ...closed, ...this.#publicAddresses]);
  }

  /** Loads all rules anew, at once. What was counted so far goes on. */
  async #load(known?: HostNetwork): Promise<void> {
    const { table, devicePrefix, records, resolvers, forwarding } = this.#parts;
    if (records.ids.length === 0) return this.#unload();
    const counts = (await this.#count()) ?? new Map<string, GuestCounts>();
    const closed = this.#closedBy(known ?? (await this.#host()));
    const rules = {
      ...{ table, devicePrefix, resolvers, onlyGuests: forwarding.borrowed },
      closed: closed.map(network),
      counts: new Map(
        records.ids.map((vmId) => {
          const record = records.get(vmId);
          const name = counterName(record);
          return [name, counts.get(name) ?? storedCounts(record)];
        }),
      ),
      guests: [...this.#open].flatMap((vmId) => this.#guestRules(vmId) ?? []),
    };
    const connections = this.#connections();
    const isCounted = (await tableNames()).has(connections.table);
    const input = renderTapTable(rules) + (isCounted ? '' : renderConnectionTable(connections));
    await command(['nft', '-f', '-'], { input });
    this.#closed = closed.join();
  }

  /** Leaves the machine as it was before the first guest. */
  async #unload(): Promise<void> {
    const { table, forwarding } = this.#parts;
    await forwarding.giveBack();
    const input = removeTable(table) + removeTable(this.#connections().table);
    await command(['nft', '-f', '-'], { input });
  }

  #connections(): ConnectionRules {
    const { table, devicePrefix } = this.#parts;
    return { table: `${table}_open`, hook: 'forward', match: `iifname "${devicePrefix}*"` };
  }

  #guestRules(vmId: string): GuestRules | undefined {
    const record = this.#parts.records.get(vmId);
    return (
      record && {
        name: counterName(record),
        device: this.#device(record),
        address: this.#addresses(record).guest,
        mac: macAddress(vmId),
        bitsPerSecond: record.bitsPerSecond,
      }
    );
  }

  /**
   * Writes down what was counted.
   * @returns undefined when the table is not there
   */
  async #count(): Promise<Map<string, GuestCounts> | undefined> {
    const { table, records } = this.#parts;
    const { status, stdout } = await attempt([
      'nft',
      '-j',
      'list',
      'counters',
      'table',
      'inet',
      table,
    ]);
    if (status !== 0) return undefined;
    const counts = parseCounters(stdout);
    for (const vmId of records.ids) {
      const record = records.get(vmId);
      const count = record && counts.get(counterName(record));
      if (count) await records.update(vmId, withCounts(record, count));
    }
    return counts;
  }
}

function counterName(record: NetworkRecord | undefined): string {
  return `g${record?.slot}`;
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
