/**
 * For an agent that is not root: each guest's QEMU has a network namespace to itself, where its user
 * network meets the same rules that `tap/` has for all guests together. SSH goes through a unix socket,
 * so no port of the host is taken.
 */
import { mkdir, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import { DriverError } from '../../../driver.ts';
import { dialUnix } from '../../../tcp.ts';
import { Turns } from '../../../turns.ts';
import { closedNetworks, network } from '../addresses.ts';
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
import { renderConnectionTable } from '../nft/connection-table.ts';
import type { GuestCounts } from '../nft/counters.ts';
import { loadRules, readCounters, tableNames } from '../nft/kernel.ts';
import { renderNamespaceTable } from '../nft/namespace-table.ts';
import { Records, storedCounts, trafficOf, withCounts, type NetworkRecord } from '../records.ts';
import {
  closeNamespace,
  entering,
  enteringUnprivileged,
  findHolder,
  keepConnected,
  namespaceSocket,
  openNamespace,
} from './namespace.ts';

/** What QEMU's user network is made of. */
const CARD = { address: '10.0.2.15/24', gateway: '10.0.2.2' };
/** The same in every namespace, as they never meet. */
const SSH_PORT = 2222;
const TABLE = 'golem';
const CONNECTIONS = { table: 'golem_open', hook: 'output', match: 'oifname != "lo"' } as const;
const NAME = 'guest';
/** What Linux takes as the path of a unix socket, without its zero. */
const SOCKET_PATH_BYTES = 107;
const LONGEST_ID = `vm_${'x'.repeat(20)}`;

export async function openPastaNetwork(options: IsolationOptions): Promise<GuestNetwork> {
  await mkdir(options.dir, { recursive: true, mode: 0o711 });
  const dir = await realpath(options.dir);
  const excess = Buffer.byteLength(namespaceSocket(join(dir, LONGEST_ID))) - SOCKET_PATH_BYTES;
  if (excess > 0) {
    throw new DriverError(
      'unavailable',
      `The data folder's path is ${excess} bytes too long for the sockets in it; choose a shorter one.`,
    );
  }
  return new PastaNetwork({ ...options, dir }, await Records.open(dir, Infinity));
}

class PastaNetwork implements GuestNetwork {
  readonly isolation = 'full';
  readonly #options: IsolationOptions;
  readonly #records: Records;
  readonly #turns = new Map<string, Turns>();
  /** The process that holds the namespace of each guest, and what is closed in there. */
  readonly #open = new Map<string, { readonly holder: number; closed: string }>();
  #publicAddresses: readonly string[] = [];

  constructor(options: IsolationOptions, records: Records) {
    this.#options = options;
    this.#records = records;
  }

  async document(vmId: string): Promise<string> {
    return networkDocument(vmId, { ...CARD, nameservers: this.#options.resolvers });
  }

  async open(vmId: string, { user, signal }: OpenOptions): Promise<Connection> {
    return this.#inTurn(vmId, async () => {
      await this.#close(vmId);
      const record = await this.#records.cap(vmId, this.#options.cap);
      const closed = await this.#closed();
      const table = this.#rules(record, closed, storedCounts(record));
      const rules = table + renderConnectionTable(CONNECTIONS);
      const holder = await openNamespace(
        this.#dir(vmId),
        { user, sshPort: SSH_PORT, rules },
        signal,
      );
      this.#open.set(vmId, { holder, closed: closed.join() });
      const netdev = `user,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:${SSH_PORT}-:22`;
      return {
        arguments: cardArguments(vmId, netdev),
        wrap: (words) => [...enteringUnprivileged(holder), ...words],
      };
    });
  }

  async close(vmId: string): Promise<void> {
    await this.#inTurn(vmId, () => this.#close(vmId));
  }

  async forget(vmId: string): Promise<void> {
    await this.#inTurn(vmId, async () => {
      await this.#close(vmId);
      await this.#records.delete(vmId);
    });
    this.#turns.delete(vmId);
  }

  async sweep(guests: readonly SweptGuest[]): Promise<void> {
    const known = new Map(guests.map((guest) => [guest.vmId, guest.running]));
    const folders = (await readdir(this.#options.dir)).filter(
      (name) => vmIdSchema.safeParse(name).success,
    );
    for (const vmId of folders) {
      const holder = known.get(vmId) ? await findHolder(this.#dir(vmId)) : undefined;
      if (holder === undefined) await this.close(vmId);
      else this.#open.set(vmId, { holder, closed: '' });
    }
    for (const vmId of this.#records.ids) if (!known.has(vmId)) await this.forget(vmId);
    // A guest whose network is broken does not keep the agent from the others; the next refresh tells.
    await this.#refreshAll();
  }

  async locate(vmId: string): Promise<SshEndpoint> {
    const socket = namespaceSocket(this.#dir(vmId));
    return { dial: (signal) => dialUnix(socket, signal) };
  }

  async traffic(vmId: string): Promise<Traffic | undefined> {
    if (!this.#records.get(vmId)) return undefined;
    await this.#inTurn(vmId, () => this.#count(vmId));
    return trafficOf(this.#records.get(vmId));
  }

  async limit(vmId: string, bitsPerSecond: number | undefined): Promise<void> {
    await this.#inTurn(vmId, async () => {
      const record = this.#records.get(vmId);
      if (!record || record.bitsPerSecond === bitsPerSecond) return;
      await this.#records.update(vmId, { ...record, bitsPerSecond });
      await this.#load(vmId, await this.#closed());
    });
  }

  async refresh(publicAddresses: readonly string[]): Promise<void> {
    this.#publicAddresses = publicAddresses;
    const failures = await this.#refreshAll();
    if (failures.length === 0) return;
    throw new AggregateError(failures, `Networks of ${failures.length} guests are broken.`);
  }

  /** @returns why some could not be refreshed; they do not keep the others from it */
  async #refreshAll(): Promise<unknown[]> {
    if (this.#open.size === 0) return [];
    const closed = await this.#closed();
    const failures: unknown[] = [];
    for (const vmId of this.#open.keys()) {
      await this.#inTurn(vmId, async () => {
        const open = this.#open.get(vmId);
        if (!open) return;
        if (open.closed !== closed.join()) await this.#load(vmId, closed);
        await keepConnected(this.#dir(vmId), open.holder);
      }).catch((error: unknown) => failures.push(error));
    }
    return failures;
  }

  #dir(vmId: string): string {
    return join(this.#options.dir, vmId);
  }

  #inTurn<T>(vmId: string, work: () => Promise<T>): Promise<T> {
    let turns = this.#turns.get(vmId);
    if (!turns) this.#turns.set(vmId, (turns = new Turns()));
    return turns.take(work);
  }

  async #close(vmId: string): Promise<void> {
    await this.#count(vmId);
    this.#open.delete(vmId);
    await closeNamespace(this.#dir(vmId));
  }

  async #closed(): Promise<string[]> {
    const further = [...this.#options.closed, ...this.#publicAddresses];
    return closedNetworks(await readHostNetwork(), further);
  }

  async #load(vmId: string, closed: readonly string[]): Promise<void> {
    const open = this.#open.get(vmId);
    const record = this.#records.get(vmId);
    if (!open || !record) return;
    const counts = (await this.#count(vmId)) ?? storedCounts(record);
    const input = this.#rules(record, closed, counts);
    const inside = { entering: entering(open.holder) };
    const isCounted = (await tableNames(inside)).has(CONNECTIONS.table);
    await loadRules(isCounted ? input : input + renderConnectionTable(CONNECTIONS), inside);
    open.closed = closed.join();
  }

  #rules({ bitsPerSecond }: NetworkRecord, closed: readonly string[], counts: GuestCounts): string {
    const { resolvers } = this.#options;
    return renderNamespaceTable({
      ...{ table: TABLE, name: NAME, sshPort: SSH_PORT, resolvers, bitsPerSecond },
      closed: closed.map(network),
      counts: new Map([[NAME, counts]]),
    });
  }

  /** Writes down what was counted. @returns undefined when nobody counts */
  async #count(vmId: string): Promise<GuestCounts | undefined> {
    const open = this.#open.get(vmId);
    const record = this.#records.get(vmId);
    if (!open || !record) return undefined;
    const counters = await readCounters(TABLE, { entering: entering(open.holder) });
    const counts = counters?.get(NAME);
    if (counts) await this.#records.update(vmId, withCounts(record, counts));
    return counts;
  }
}
