/**
 * The one table of rules for all guests on devices: loaded anew whenever guests or the machine have
 * changed, which keeps what was counted. Nothing here is to be called twice at once.
 */
import { closedNetworks, formatNetwork, network, type HostNetwork } from '../addresses.ts';
import { readHostNetwork } from '../host.ts';
import { renderConnectionTable, type ConnectionRules } from '../nft/connection-table.ts';
import type { GuestCounts } from '../nft/counters.ts';
import { loadRules, readCounters, tableNames } from '../nft/kernel.ts';
import { removeTable } from '../nft/table.ts';
import { renderTapTable, type TapRules } from '../nft/tap-table.ts';
import { storedCounts, withCounts, type Records } from '../records.ts';
import type { Forwarding } from './forwarding.ts';
import type { Slots } from './slots.ts';

export interface RulesetOptions {
  readonly table: string;
  readonly devicePrefix: string;
  readonly slots: Slots;
  readonly records: Records;
  readonly forwarding: Forwarding;
  readonly resolvers: readonly string[];
  /** Further addresses that are closed to guests. */
  readonly closed: readonly string[];
}

export class Ruleset {
  readonly #options: RulesetOptions;
  readonly #connections: ConnectionRules;
  #publicAddresses: readonly string[] = [];
  /** The networks that were closed when the rules were loaded last. */
  #closed = '';

  constructor(options: RulesetOptions) {
    const { table, devicePrefix } = options;
    this.#options = options;
    this.#connections = {
      ...{ table: `${table}_open`, hook: 'forward', match: `iifname "${devicePrefix}*"` },
    };
  }

  /** Under which the machine is seen from the Internet: closed from the next load on. */
  seenAs(publicAddresses: readonly string[]): void {
    this.#publicAddresses = publicAddresses;
  }

  /** What the machine is connected to otherwise. */
  host(): Promise<HostNetwork> {
    return readHostNetwork(this.#options.devicePrefix);
  }

  /**
   * Loads all rules anew, at once. What was counted so far goes on.
   * @param open guests whose devices are there
   */
  async load(open: ReadonlySet<string>, known?: HostNetwork): Promise<void> {
    if (this.#options.records.ids.length === 0) return this.#unload();
    const counts = (await this.count()) ?? new Map<string, GuestCounts>();
    const closed = this.#closedBy(known ?? (await this.host()));
    const table = renderTapTable(this.#plan(open, counts, closed));
    const isCounted = (await tableNames()).has(this.#connections.table);
    await loadRules(isCounted ? table : table + renderConnectionTable(this.#connections));
    this.#closed = closed.join();
  }

  /** Loads the rules where they are missing, or were made for another machine than this is now. */
  async refresh(open: ReadonlySet<string>): Promise<void> {
    const host = await this.host();
    const isOther = await this.#options.forwarding.look();
    const isThere = (await this.count()) !== undefined;
    const isAsBefore = isThere && !isOther && this.#closedBy(host).join() === this.#closed;
    if (!isAsBefore) await this.load(open, host);
  }

  /**
   * Writes down what was counted.
   * @returns undefined when the table is not there
   */
  async count(): Promise<Map<string, GuestCounts> | undefined> {
    const { table, records, slots } = this.#options;
    const counts = await readCounters(table);
    for (const [vmId, record] of records.entries) {
      const count = counts?.get(slots.name(record));
      if (count) await records.update(vmId, withCounts(record, count));
    }
    return counts;
  }

  #plan(
    open: ReadonlySet<string>,
    counts: ReadonlyMap<string, GuestCounts>,
    closed: readonly string[],
  ): TapRules {
    const { table, devicePrefix, resolvers, forwarding, records, slots } = this.#options;
    return {
      ...{ table, devicePrefix, resolvers, onlyGuests: forwarding.borrowed },
      closed: closed.map(network),
      counts: new Map(
        records.entries.map(([, record]) => {
          const name = slots.name(record);
          return [name, counts.get(name) ?? storedCounts(record)];
        }),
      ),
      guests: [...open].flatMap((vmId) => {
        const record = records.get(vmId);
        return record ? [slots.rules(vmId, record)] : [];
      }),
    };
  }

  #closedBy(host: HostNetwork): string[] {
    const { slots, closed } = this.#options;
    return closedNetworks(host, [formatNetwork(slots.prefix), ...closed, ...this.#publicAddresses]);
  }

  /** Leaves the machine as it was before the first guest. */
  async #unload(): Promise<void> {
    await this.#options.forwarding.giveBack();
    await loadRules(removeTable(this.#options.table) + removeTable(this.#connections.table));
  }
}
