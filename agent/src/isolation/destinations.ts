/** Where a guest tries to go, and whether it should get there. Pure. */
import { isIPv6 } from 'node:net';

export type Reach = 'open' | 'closed';

export interface Destination {
  /** In the words of an operator. */
  readonly what: string;
  /** An address, or a name that the guest has to look up. */
  readonly host: string;
  readonly port: number;
  readonly expected: Reach;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Surroundings {
  /** What answers everybody on the Internet. */
  readonly internet: readonly Endpoint[];
  readonly resolvers: readonly string[];
  /** What accepts connections from this machine and is its own, as far as that is known. */
  readonly own: {
    /** Under each of its addresses, of both families. */
    readonly machine: readonly Endpoint[];
    /** A port of its loopback interface alone. */
    readonly loopbackPort: number;
    readonly routers: readonly Endpoint[];
    readonly publicAddresses: readonly Endpoint[];
    readonly guests: readonly Endpoint[];
  };
}

const MAIL_PORT = 25;

/** Addresses that lead to this machine or to its neighbours where nothing stops them. */
const USUAL_SUSPECTS: readonly (readonly [what: string, host: string, port: number])[] = [
  ['a cloud’s metadata', '169.254.169.254', 80],
  ['a carrier’s NAT', '100.64.0.1', 80],
  ['a private network', '10.0.0.1', 80],
  ['a private network', '172.16.0.1', 80],
  ['a private network', '192.168.0.1', 80],
  ['a private network', '192.168.1.1', 80],
  ['a private network, IPv6', 'fd00::1', 80],
  ['the Internet, IPv6', '2606:4700:4700::1111', 53],
];

/** What QEMU's user network calls the machine that it runs on. */
const QEMU_HOST = '10.0.2.2';

export function destinations({ internet, resolvers, own }: Surroundings): Destination[] {
  const rows: Destination[] = [];
  const add = (expected: Reach, what: string, endpoints: readonly Endpoint[]) => {
    for (const { host, port } of endpoints) {
      const isKnown = rows.some((row) => row.host === host && row.port === port);
      if (!isKnown) rows.push({ what, host, port, expected });
    }
  };
  add('open', 'the Internet', internet);
  add(
    'open',
    'a name server',
    resolvers.map((host) => ({ host, port: 53 })),
  );
  add(
    'closed',
    'mail to anybody',
    internet.map(({ host }) => ({ host, port: MAIL_PORT })),
  );
  add('closed', 'this machine', own.machine);
  const loopbacks = [QEMU_HOST, ...own.machine.map(({ host }) => host)];
  add(
    'closed',
    'this machine’s loopback',
    [...new Set(loopbacks)].map((host) => ({ host, port: own.loopbackPort })),
  );
  add('closed', 'a router', own.routers);
  add('closed', 'the provider’s public address', own.publicAddresses);
  add('closed', 'another guest', own.guests);
  for (const [what, host, port] of USUAL_SUSPECTS) add('closed', what, [{ host, port }]);
  return rows;
}

export interface SelfTestRow {
  readonly destination: string;
  readonly what: string;
  readonly expected: Reach;
  readonly seen: Reach;
}

export interface SelfTestResult {
  readonly rows: readonly SelfTestRow[];
  readonly passed: boolean;
}

/** @param reached those that were */
export function evaluate(
  tried: readonly Destination[],
  reached: ReadonlySet<Destination>,
): SelfTestResult {
  const rows = tried.map((destination): SelfTestRow => {
    const { what, host, port, expected } = destination;
    const seen = reached.has(destination) ? 'open' : 'closed';
    return { destination: formatEndpoint({ host, port }), what, expected, seen };
  });
  return { rows, passed: rows.every(({ expected, seen }) => expected === seen) };
}

function formatEndpoint({ host, port }: Endpoint): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
