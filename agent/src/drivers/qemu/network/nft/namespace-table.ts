/** The rules of a guest that has a network namespace to itself. Pure. */
import { capped, outgoing, rateLimits, type Direction } from './guest-chains.ts';
import { renderTable, type TableRules } from './table.ts';

export interface NamespaceRules extends TableRules {
  /** Of the counters. */
  readonly name: string;
  /** Where QEMU listens for what goes to the guest's SSH port. */
  readonly sshPort: number;
  readonly bitsPerSecond?: number | undefined;
}

/**
 * Loads the rules of a namespace that has nothing but one guest's QEMU, whose user network opens and
 * takes connections as a program does.
 */
export function renderNamespaceTable(rules: NamespaceRules): string {
  return renderTable(rules, [rateLimits(rules.name, rules.bitsPerSecond), namespaceHooks(rules)]);
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
