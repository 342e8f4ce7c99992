/**
 * A small Internet in network namespaces of this machine: a client, a public host, and a provider
 * behind a masquerading router that drops everything inbound. Needs root, iproute2 and nftables.
 *
 *     client 198.51.100.2 -- 198.51.100.1 public 203.0.113.1 -- 203.0.113.2 router 192.168.77.1 -- 192.168.77.10 provider
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/**
 * `port-preserving`: one inside port keeps its outside port towards everybody (cone).
 * `symmetric`: every destination sees another, random port.
 */
export type NatKind = 'port-preserving' | 'symmetric';

export interface NatNetwork extends Disposable {
  /** Prefix of a command that is to run on that host. */
  readonly on: Readonly<Record<Host, readonly string[]>>;
  readonly publicAddress: string;
  readonly routerAddress: string;
  readonly providerAddress: string;
  /** Gives the provider another address in its LAN, as a router does that was restarted. */
  moveProvider(): void;
  /** Gives the router another public address, as many Internet providers do once a day. */
  moveRouter(): void;
  /** What the router has masqueraded and dropped so far, in packets. */
  counters(): { masqueraded: number; droppedInbound: number };
}

const HOSTS = ['client', 'public', 'router', 'provider'] as const;
type Host = (typeof HOSTS)[number];

export function createNatNetwork(kind: NatKind): NatNetwork {
  const suffix = randomBytes(3).toString('hex');
  const name = (host: Host) => `golem-${host}-${suffix}`;
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const inside = (host: Host, ...args: string[]) => ip('netns', 'exec', name(host), ...args);

  const link = (
    a: Host,
    deviceA: string,
    addressA: string,
    b: Host,
    deviceB: string,
    addressB: string,
  ) => {
    const peer = ['peer', 'name', deviceB, 'netns', name(b)];
    ip('link', 'add', deviceA, 'netns', name(a), 'type', 'veth', ...peer);
    ip('-n', name(a), 'addr', 'add', addressA, 'dev', deviceA);
    ip('-n', name(b), 'addr', 'add', addressB, 'dev', deviceB);
    ip('-n', name(a), 'link', 'set', deviceA, 'up');
    ip('-n', name(b), 'link', 'set', deviceB, 'up');
  };
  const route = (host: Host, gateway: string) =>
    ip('-n', name(host), 'route', 'replace', 'default', 'via', gateway);
  const move = (host: Host, device: string, [from, to]: [string, string], gateway: string) => {
    ip('-n', name(host), 'addr', 'del', from, 'dev', device);
    ip('-n', name(host), 'addr', 'add', to, 'dev', device);
    route(host, gateway);
  };
  const remove = () => {
    for (const host of HOSTS) {
      if (execFileSync('ip', ['netns', 'list']).includes(name(host)))
        ip('netns', 'delete', name(host));
    }
  };

  try {
    for (const host of HOSTS) {
      ip('netns', 'add', name(host));
      ip('-n', name(host), 'link', 'set', 'lo', 'up');
    }
    link('client', 'e0', '198.51.100.2/24', 'public', 'e0', '198.51.100.1/24');
    link('public', 'e1', '203.0.113.1/24', 'router', 'wan', '203.0.113.2/24');
    link('router', 'lan', '192.168.77.1/24', 'provider', 'e0', '192.168.77.10/24');
    route('client', '198.51.100.1');
    route('router', '203.0.113.1');
    route('provider', '192.168.77.1');
    for (const host of ['public', 'router'] as const)
      inside(host, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    execFileSync('ip', ['netns', 'exec', name('router'), 'nft', '-f', '-'], { input: rules(kind) });
  } catch (error) {
    remove();
    throw error;
  }

  return {
    on: Object.fromEntries(
      HOSTS.map((host) => [host, ['ip', 'netns', 'exec', name(host)]]),
    ) as unknown as NatNetwork['on'],
    publicAddress: '198.51.100.1',
    routerAddress: '203.0.113.2',
    providerAddress: '192.168.77.10',
    moveProvider: () =>
      move('provider', 'e0', ['192.168.77.10/24', '192.168.77.11/24'], '192.168.77.1'),
    moveRouter: () => move('router', 'wan', ['203.0.113.2/24', '203.0.113.3/24'], '203.0.113.1'),
    counters() {
      const text = inside('router', 'nft', 'list', 'ruleset').toString();
      const count = (label: string) =>
        Number(
          new RegExp(`counter packets (\\d+)[^\\n]*comment "${label}"`).exec(text)?.[1] ?? NaN,
        );
      return { masqueraded: count('masqueraded'), droppedInbound: count('inbound') };
    },
    [Symbol.dispose]: remove,
  };
}

function rules(kind: NatKind): string {
  const masquerade = kind === 'symmetric' ? 'masquerade fully-random' : 'masquerade';
  return `
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat
    oifname "wan" counter ${masquerade} comment "masqueraded"
  }
}
table ip filter {
  chain forward {
    type filter hook forward priority filter; policy drop
    iifname "lan" oifname "wan" accept
    ct state established,related accept
    counter drop comment "inbound"
  }
  chain input {
    type filter hook input priority filter; policy accept
    iifname "wan" ct state established,related accept
    iifname "wan" counter drop comment "router"
  }
}
`;
}
