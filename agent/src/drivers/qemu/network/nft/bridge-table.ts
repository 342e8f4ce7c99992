/** The rules for guests that another program has connected to a bridge of its own. Pure. */
import { formatNetwork, type Network } from '../addresses.ts';
import { renderTable, type TableRules } from './table.ts';

export interface BridgeRules extends TableRules {
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
