/**
 * The rules between guests and everything else, as one nftables table. Pure: what is rendered here is
 * loaded as a whole and at once, so that no packet ever meets half of it.
 *
 * Default-deny: what is not named is dropped. Accepting a packet here does not keep another table of
 * the machine (Docker's, a firewall's) from dropping it, nor the other way round.
 */
import { disjoint, formatNetwork, NEVER_PUBLIC, type Network } from './addresses.ts';
import { GUEST_DEVICE } from './network.ts';

/** Of a named counter. */
export interface Count {
  readonly packets: number;
  readonly bytes: number;
}
export const NO_COUNT: Count = { packets: 0, bytes: 0 };

/**
 * `received` and `sent` is what passed. `capped` was more than the guest may send or receive, `spoofed`
 * came with a sender that is not the guest's, `closed` was to go where no guest may go.
 */
export const COUNTERS = ['received', 'sent', 'capped', 'spoofed', 'closed'] as const;
export type GuestCounts = Readonly<Record<(typeof COUNTERS)[number], Count>>;

interface CommonRules {
  readonly table: string;
  /** Counts go on from here: also those of guests that do not run at the moment. */
  readonly counts: ReadonlyMap<string, GuestCounts>;
  /** What is closed beside `NEVER_PUBLIC`. */
  readonly closed: readonly Network[];
  /** Where guests may ask for names on port 53, even if it is in a closed network. */
  readonly resolvers: readonly string[];
}

export interface GuestRules {
  /** Of its counters and chains; `[a-z0-9]+`. */
  readonly name: string;
  readonly device: string;
  readonly address: string;
  readonly mac: string;
  readonly bitsPerSecond?: number | undefined;
}

export interface TapRules extends CommonRules {
  /** What the devices of all guests start with, and nobody else's. */
  readonly devicePrefix: string;
  readonly guests: readonly GuestRules[];
  /** Whether the machine forwards for guests alone: what is nobody's of them is dropped. */
  readonly onlyGuests: boolean;
}

export interface NamespaceRules extends CommonRules {
  /** Of the counters. */
  readonly name: string;
  /** Where QEMU listens for what goes to the guest's SSH port. */
  readonly sshPort: number;
  readonly bitsPerSecond?: number | undefined;
}

/** More than any browser or build has; a router of a home keeps some ten thousand for everybody. */
const MAX_CONNECTIONS = 4096;
/** Opening more in a second, after a burst, is scanning. */
const CONNECTIONS_PER_SECOND = 200;

/** Loads the rules for guests that have devices of the machine, in the place of earlier ones. */
export function renderTapTable(rules: TapRules): string {
  return renderTable(rules, [
    ...rules.guests.map(({ name, bitsPerSecond }) => limits(name, bitsPerSecond)),
    verdictMaps(rules.guests),
    tapHooks(rules),
    ...rules.guests.map(tapGuest),
  ]);
}

/**
 * Loads the rules of a namespace that has nothing but one guest's QEMU, whose user network opens and
 * takes connections as a program does.
 */
export function renderNamespaceTable(rules: NamespaceRules): string {
  return renderTable(rules, [limits(rules.name, rules.bitsPerSecond), namespaceHooks(rules)]);
}

export interface BridgeRules extends CommonRules {
  /** Where another program has connected all of its guests. */
  readonly bridge: string;
  /** Of the bridge, with the network that its guests have addresses of. */
  readonly address: string;
  readonly network: Network;
}

/** Loads rules around a bridge of guests that somebody else gives addresses and ways out. */
export function renderBridgeTable(rules: BridgeRules): string {
  return renderTable(rules, [bridgeHooks(rules)]);
}

export interface ConnectionRules {
  /** A table of its own. */
  readonly table: string;
  readonly hook: 'forward' | 'output';
  /** Which packets are guests'. */
  readonly match: string;
}

/**
 * Bounds the connections that each guest has at once. Apart from the other rules and never replaced: a new
 * table would count from zero, and a guest fill the machine's table of connections one load at a time.
 */
export function renderConnectionTable({ table, hook, match }: ConnectionRules): string {
  return `table inet ${table} {
  set guests { type ipv4_addr; size 65535; flags dynamic; }
  chain ${hook} {
    type filter hook ${hook} priority filter - 9; policy accept;
    ${match} ct state new add @guests { ip saddr ct count over ${MAX_CONNECTIONS} } drop
  }
}
`;
}

export function removeTable(table: string): string {
  return `add table inet ${table}\ndelete table inet ${table}\n`;
}

function renderTable(rules: CommonRules, chains: readonly string[]): string {
  const { table, counts } = rules;
  const counters = [...counts].map(([name, count]) => guestCounters(name, count));
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

function guestCounters(name: string, counts: GuestCounts): string {
  return COUNTERS.map((counter) => {
    const { packets, bytes } = counts[counter];
    return `  counter ${name}_${counter} { packets ${packets} bytes ${bytes}\n  }\n`;
  }).join('');
}

function sets({ closed, resolvers }: CommonRules): string {
  const networks = disjoint([...NEVER_PUBLIC, ...closed]).map(formatNetwork);
  return `
  set closed { type ipv4_addr; flags interval; ${elements(networks)}
  }
  set resolvers { type ipv4_addr; ${elements(resolvers)}
  }
`;
}

function elements(values: readonly string[]): string {
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

function verdictMaps(guests: readonly GuestRules[]): string {
  const map = (direction: string) =>
    `  map ${direction}_guest { type ifname : verdict; ${elements(
      guests.map(({ device, name }) => `"${device}" : goto ${direction}_${name}`),
    )}\n  }\n`;
  return ['from', 'to', 'ssh_from', 'ssh_to'].map(map).join('');
}

/** The guests of another agent, or of a self-test, meet a table of their own. */
const NO_ROUTER = `meta nfproto ipv4 iifname != "${GUEST_DEVICE}*" oifname != "${GUEST_DEVICE}*" drop`;

/**
 * `input` and `output` are the machine's own: it may open SSH connections to guests, and says nothing
 * else to them, announcements of its services least of all. `forward` is everybody else's.
 */
function tapHooks({ devicePrefix, onlyGuests }: TapRules): string {
  const guests = `"${devicePrefix}*"`;
  return `
  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname != ${guests} accept
    tcp sport 22 ct state established iifname vmap @ssh_from_guest
    ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 accept
    drop
  }
  chain output {
    type filter hook output priority filter - 10; policy accept;
    oifname != ${guests} accept
    tcp dport 22 oifname vmap @ssh_to_guest
    ct state { established, related } accept
    drop
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname vmap @from_guest
    iifname ${guests} drop
    oifname vmap @to_guest
    oifname ${guests} drop
    ${onlyGuests ? NO_ROUTER : ''}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname ${guests} masquerade
  }
`;
}

function tapGuest({ name, address, mac, bitsPerSecond }: GuestRules): string {
  const cap = (direction: Direction) => capped(name, direction, bitsPerSecond);
  return `
  chain from_${name} {
    meta nfproto != ipv4 counter name ${name}_spoofed drop
    ether saddr != ${mac} counter name ${name}_spoofed drop
    ip saddr != ${address} counter name ${name}_spoofed drop
    ${cap('from')}
    ${outgoing(name)}
  }
  chain to_${name} {
    ct state != { established, related } drop
    ip daddr != ${address} drop
    ${cap('to')}
    counter name ${name}_received accept
  }
  chain ssh_from_${name} {
    ${cap('from')}
    accept
  }
  chain ssh_to_${name} {
    ${cap('to')}
    accept
  }
`;
}

/** The machine hands out addresses and names on the bridge, and opens SSH connections. */
function bridgeHooks({ bridge, address, network }: BridgeRules): string {
  return `
  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname != "${bridge}" accept
    meta nfproto ipv4 udp dport 67 accept
    ip daddr ${address} meta l4proto { tcp, udp } th dport 53 accept
    tcp sport 22 ct state established accept
    drop
  }
  chain output {
    type filter hook output priority filter - 10; policy accept;
    oifname != "${bridge}" accept
    tcp dport 22 accept
    udp sport 67 accept
    ct state { established, related } accept
    drop
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname "${bridge}" jump from_bridge
    oifname "${bridge}" ct state != { established, related } drop
  }
  chain from_bridge {
    ip saddr != ${formatNetwork(network)} drop
    meta nfproto != ipv4 drop
    jump check
  }
`;
}

/** What leaves for loopback is the way in, and nothing else. */
function namespaceHooks({ name, sshPort, bitsPerSecond }: NamespaceRules): string {
  const cap = (direction: Direction) => capped(name, direction, bitsPerSecond);
  return `
  chain output {
    type filter hook output priority filter; policy drop;
    meta nfproto != ipv4 counter name ${name}_spoofed drop
    oifname "lo" tcp dport ${sshPort} accept
    oifname "lo" ct state { established, related } accept
    oifname "lo" goto refuse
    ${cap('from')}
    ${outgoing(name)}
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" tcp sport ${sshPort} jump ssh_from
    iifname "lo" tcp dport ${sshPort} jump ssh_to
    iifname "lo" accept
    ct state != { established, related } drop
    ${cap('to')}
    counter name ${name}_received accept
  }
  chain ssh_from {
    ${cap('from')}
  }
  chain ssh_to {
    ${cap('to')}
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
`;
}

function outgoing(name: string): string {
  return [
    `ip daddr @closed ip daddr != @resolvers counter name ${name}_closed`,
    'jump check',
    `ct state new limit rate over ${CONNECTIONS_PER_SECOND}/second burst ${CONNECTIONS_PER_SECOND * 2} packets counter name ${name}_capped drop`,
    `counter name ${name}_sent accept`,
  ].join('\n    ');
}

/** A packet is up to 64 KiB where the kernel has put segments together: less would let none pass. */
const MIN_BURST_BYTES = 256 * 1024;

type Direction = 'from' | 'to';

/** What a guest may send and receive, whichever way it goes. A tenth of a second may come at once. */
function limits(name: string, bitsPerSecond: number | undefined): string {
  if (bitsPerSecond === undefined) return '';
  const bytes = Math.max(1, Math.floor(bitsPerSecond / 8));
  const burst = Math.max(MIN_BURST_BYTES, Math.floor(bytes / 10));
  const limit = (direction: Direction) =>
    `  limit ${name}_${direction} { rate over ${bytes} bytes/second burst ${burst} bytes\n  }\n`;
  return limit('from') + limit('to');
}

/** Drops what is too much. */
function capped(name: string, direction: Direction, bitsPerSecond: number | undefined): string {
  if (bitsPerSecond === undefined) return '';
  return `limit name "${name}_${direction}" counter name ${name}_capped drop`;
}
