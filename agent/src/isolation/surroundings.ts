/** Finds out what a guest of this machine could do harm to, without asking anybody but its routers. */
import { once } from 'node:events';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { connect, isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { GolemError } from '@vm-on-golem/shared/errors';
import { guestOf, isPublic } from '../drivers/qemu/network/addresses.ts';
import { readHostNetwork } from '../drivers/qemu/network/host.ts';
import { GUEST_DEVICE } from '../drivers/qemu/network/network.ts';
import type { Endpoint, Surroundings } from './destinations.ts';

export interface SelfTestFacts {
  /** Origin of the discovery service, which every provider reaches anyway. */
  readonly discovery: string;
  /** Whom guests ask for names. */
  readonly resolvers: readonly string[];
  /** Of this provider, as far as they are known. */
  readonly publicAddresses: readonly string[];
}

/** A machine of this LAN, or none, answers within milliseconds. */
const CONNECT_MILLIS = 1_500;
/** What routers, their administration and name service, usually listen on. */
const ROUTER_PORTS = [80, 443, 53, 22] as const;
/** Enough to see that they are closed; a host of containers has hundreds. */
const MAX_ADDRESSES = 12;

/**
 * @param loopbackPort something listens on it
 * @param guests addresses of other guests
 * @throws {GolemError} `discovery_unreachable` when this machine does not reach the Internet itself:
 * what guests reach cannot be told then
 */
export async function readSurroundings(
  facts: SelfTestFacts,
  loopbackPort: number,
  guests: readonly string[],
): Promise<Surroundings> {
  const { routes } = await readHostNetwork();
  const ports = listeningPorts(await readFile('/proc/net/tcp', 'utf8'));
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
    .slice(0, MAX_ADDRESSES);
  const gateways = [...new Set(routes.flatMap(({ gateway }) => gateway ?? []))];
  return {
    internet: await internetOf(facts),
    resolvers: facts.resolvers.filter(isPublic),
    own: {
      machine: addresses.map((host) => ({ host, port: ports[0] ?? 22 })),
      loopbackPort,
      routers: await answering(gateways),
      publicAddresses: await answering(facts.publicAddresses.filter(isIPv4)),
      guests: guests.map((host) => ({ host, port: 22 })),
    },
  };
}

/** Addresses of the guests that have devices of this machine, of whichever agent. */
export async function guestAddresses(): Promise<string[]> {
  const { routes } = await readHostNetwork();
  return routes
    .filter(({ device }) => device.startsWith(GUEST_DEVICE))
    .map(({ destination }) => guestOf(destination));
}

/** By its address, and by its name where it has one: then names are looked up as well. */
async function internetOf({ discovery, resolvers }: SelfTestFacts): Promise<Endpoint[]> {
  const url = new URL(discovery);
  const host = url.hostname.replaceAll(/^\[|\]$/g, '');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const addresses = await lookup(host, { all: true, family: 4 }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  );
  const [address] = addresses.filter(isPublic);
  // One of one's own, in the LAN: guests must not reach it. Name servers answer everybody, too.
  const known = address ? [{ host: address, port }] : [];
  const candidates = [...known, ...resolvers.map((resolver) => ({ host: resolver, port: 53 }))];
  for (const candidate of candidates) {
    if (!(await answers(candidate))) continue;
    return candidate.host === address && isIP(host) === 0
      ? [candidate, { host, port }]
      : [candidate];
  }
  throw new GolemError('discovery_unreachable', 'This machine does not reach the Internet.', {
    hint: `It was to reach ${candidates.map((to) => `${to.host}:${to.port}`).join(' or ')}.`,
  });
}

/** Each with a port that answers this machine, so that a guest that is kept from it is seen to be. */
async function answering(hosts: readonly string[]): Promise<Endpoint[]> {
  return Promise.all(
    hosts.slice(0, MAX_ADDRESSES).map(async (host) => {
      const tried = ROUTER_PORTS.map(async (port) => ((await answers({ host, port })) ? port : 0));
      return { host, port: (await Promise.all(tried)).find(Boolean) ?? ROUTER_PORTS[0] };
    }),
  );
}

async function answers({ host, port }: Endpoint): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MILLIS) });
    return true;
  } catch {
    // Refused, lost or late: it cannot be reached, which is all that was asked.
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Ports that something on this machine listens on, on other interfaces than loopback too.
 * @param table of `/proc/net/tcp`
 */
export function listeningPorts(table: string): number[] {
  const LISTEN = '0A';
  const LOOPBACK = /^......7F$/;
  return table
    .split('\n')
    .map((line) => /^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line))
    .filter((match) => match?.[3] === LISTEN && !LOOPBACK.test(match[1] ?? ''))
    .map((match) => Number.parseInt(match?.[2] ?? '', 16));
}
