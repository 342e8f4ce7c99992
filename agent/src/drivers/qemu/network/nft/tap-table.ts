/** The rules for guests that have network devices of the machine: one table for all of them. Pure. */
import { GUEST_DEVICE } from '../network.ts';
import { capped, outgoing, rateLimits, type Direction } from './guest-chains.ts';
import { elements, renderTable, type TableRules } from './table.ts';

export interface GuestRules {
  /** Of its counters and chains; `[a-z0-9]+`. */
  readonly name: string;
  readonly device: string;
  readonly address: string;
  readonly mac: string;
  readonly bitsPerSecond?: number | undefined;
}

export interface TapRules extends TableRules {
  /** What the devices of all guests start with, and nobody else's. */
  readonly devicePrefix: string;
  readonly guests: readonly GuestRules[];
  /** Whether the machine forwards for guests alone: what is nobody's of them is dropped. */
  readonly onlyGuests: boolean;
}

/** Loads the rules for guests that have devices of the machine, in the place of earlier ones. */
export function renderTapTable(rules: TapRules): string {
  return renderTable(rules, [
    ...rules.guests.map(({ name, bitsPerSecond }) => rateLimits(name, bitsPerSecond)),
    verdictMaps(rules.guests),
    tapHooks(rules),
    ...rules.guests.map(tapGuest),
  ]);
}

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
