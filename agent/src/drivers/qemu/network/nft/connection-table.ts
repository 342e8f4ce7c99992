/** How many connections each guest may have at once: a table that is never replaced. Pure. */

/** More than any browser or build has; a router of a home keeps some ten thousand for everybody. */
const MAX_CONNECTIONS = 4096;

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
