/**
 * The frame of every table between guests and everything else. Pure: what is rendered is loaded as a
 * whole and at once, so that no packet ever meets half of it.
 *
 * Default-deny: what is not named is dropped. Accepting a packet here does not keep another table of
 * the machine (Docker's, a firewall's) from dropping it, nor the other way round.
 */
import { disjoint, formatNetwork, NEVER_PUBLIC, type Network } from '../addresses.ts';
import { renderCounters, type GuestCounts } from './counters.ts';

export interface TableRules {
  readonly table: string;
  /** Counts go on from here: also those of guests that do not run at the moment. */
  readonly counts: ReadonlyMap<string, GuestCounts>;
  /** What is closed beside `NEVER_PUBLIC`. */
  readonly closed: readonly Network[];
  /** Where guests may ask for names on port 53, even if it is in a closed network. */
  readonly resolvers: readonly string[];
}

/** Replaces the table, with chains of a kind of guests in it. They may `jump check` what a guest sends. */
export function renderTable(rules: TableRules, chains: readonly string[]): string {
  const { table, counts } = rules;
  const counters = [...counts].map(([name, count]) => renderCounters(name, count));
  return [
    removeTable(table),
    `table inet ${table} {\n`,
    ...counters,
    sets(rules),
    CHECKS,
    ...chains,
    '}\n',
  ].join('');
}

export function removeTable(table: string): string {
  return `add table inet ${table}\ndelete table inet ${table}\n`;
}

function sets({ closed, resolvers }: TableRules): string {
  const networks = disjoint([...NEVER_PUBLIC, ...closed]).map(formatNetwork);
  return `
  set closed { type ipv4_addr; flags interval; ${elements(networks)}
  }
  set resolvers { type ipv4_addr; ${elements(resolvers)}
  }
`;
}

/** Of a set or a map. */
export function elements(values: readonly string[]): string {
  return values.length === 0 ? '' : `elements = { ${values.join(', ')} }`;
}

/** Returns for what may pass. Every packet is looked at: what is closed today may have been open. */
const CHECKS = `
  chain check {
    ct state invalid drop
    meta l4proto != { tcp, udp, icmp } goto refuse
    ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 return
    tcp dport 25 goto refuse
    ip daddr @closed goto refuse
  }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject with icmp admin-prohibited
  }
`;
