/** IPv4 networks as numbers, and which of them no guest may reach. Pure. */

export interface Network {
  /** The first address, as an unsigned number of 32 bits. */
  readonly base: number;
  /** Of the prefix, 0 to 32. */
  readonly bits: number;
}

/** @returns undefined for anything but `a.b.c.d` or `a.b.c.d/n`; bits behind the prefix are cleared */
export function parseNetwork(text: string): Network | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (!match) return undefined;
  const bytes = match.slice(1, 5).map(Number);
  const bits = match[5] === undefined ? 32 : Number(match[5]);
  if (bits > 32 || bytes.some((byte) => byte > 255)) return undefined;
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { base: address - (address % sizeOf(bits)), bits };
}

/** @throws {RangeError} for what `parseNetwork` does not take */
export function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (!parsed) throw new RangeError(`'${text}' is no IPv4 network`);
  return parsed;
}

export function formatNetwork({ base, bits }: Network): string {
  return bits === 32 ? formatAddress(base) : `${formatAddress(base)}/${bits}`;
}

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

export function contains(outer: Network, inner: Network): boolean {
  return outer.bits <= inner.bits && inner.base - (inner.base % sizeOf(outer.bits)) === outer.base;
}

export function overlap(a: Network, b: Network): boolean {
  return contains(a, b) || contains(b, a);
}

/** The same addresses without a network that another one contains, in order. */
export function disjoint(networks: readonly Network[]): Network[] {
  const sorted = [...networks].sort((a, b) => a.base - b.base || a.bits - b.bits);
  const kept: Network[] = [];
  for (const next of sorted) {
    const last = kept.at(-1);
    if (!last || !contains(last, next)) kept.push(next);
  }
  return kept;
}

function sizeOf(bits: number): number {
  return 2 ** (32 - bits);
}

/** Where there is never an Internet host: IANA's registry of special addresses, as far as it is in use. */
export const NEVER_PUBLIC: readonly Network[] = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carriers' NAT, and overlays such as Tailscale
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, and the metadata services of clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocols, DS-Lite
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '224.0.0.0/3', // multicast, reserved, broadcast
].map(network);

export function isPublic(address: string): boolean {
  const parsed = parseNetwork(address);
  return parsed !== undefined && !NEVER_PUBLIC.some((closed) => overlap(closed, parsed));
}

/** What the machine says of its own network. */
export interface HostNetwork {
  /** Of all interfaces. */
  readonly addresses: readonly string[];
  readonly routes: readonly HostRoute[];
}

export interface HostRoute {
  readonly destination: Network;
  readonly device: string;
  readonly gateway?: string | undefined;
  /** Made by the kernel for an address of an interface: its hosts are neighbours. */
  readonly connected: boolean;
  /** Of routes; undefined for the main one. Others are usually asked before it. */
  readonly table?: string | undefined;
}

/**
 * A route this wide leads to the Internet. Some VPNs write `0.0.0.0/1` and `128.0.0.0/1` in the
 * place of a default route, others everything but the LAN in many pieces.
 */
const DEFAULT_ROUTE_BITS = 7;

function isDefaultRoute({ destination }: HostRoute): boolean {
  return destination.bits <= DEFAULT_ROUTE_BITS;
}

/**
 * What is closed to guests beside `NEVER_PUBLIC`: the machine itself, its routers, the networks that it
 * is a neighbour in, and those that it reaches by another device than the Internet, such as a VPN.
 */
export function ownNetworks({ addresses, routes }: HostNetwork): Network[] {
  const uplinks = new Set(routes.filter(isDefaultRoute).map(({ device }) => device));
  const isOwn = (route: HostRoute) =>
    !isDefaultRoute(route) && (route.connected || !uplinks.has(route.device));
  const gateways = routes.flatMap(({ gateway }) => gateway ?? []);
  const single = [...addresses, ...gateways].flatMap((text) => parseNetwork(text) ?? []);
  return disjoint([...routes.filter(isOwn).map(({ destination }) => destination), ...single]);
}

/**
 * Everything that is closed to guests beside `NEVER_PUBLIC`, in one spelling.
 * @param further addresses or networks; those that are no IPv4 are left out
 */
export function closedNetworks(host: HostNetwork, further: readonly string[]): string[] {
  const others = further.flatMap((text) => parseNetwork(text) ?? []);
  return disjoint([...others, ...ownNetworks(host)]).map(formatNetwork);
}

/**
 * The route that takes the place of one to a guest's network: it is at least as narrow, or of a table
 * that is asked earlier. A wider one, such as a VPN's of 10.0.0.0/8, takes nothing from the guest.
 */
export function conflictingRoute(
  routes: readonly HostRoute[],
  guest: Network,
): HostRoute | undefined {
  return routes.find(
    (route) =>
      !isDefaultRoute(route) &&
      overlap(route.destination, guest) &&
      (contains(guest, route.destination) || route.table !== undefined),
  );
}

/** Every guest has a network of its own of four addresses, of which two are of use. */
const SLOT_BITS = 30;

export interface SlotAddresses {
  /** The host's end. */
  readonly gateway: string;
  readonly guest: string;
  readonly bits: number;
}

/** @param prefix of all guests of one agent, 8 to 30 bits */
export function slotCount(prefix: Network): number {
  return 2 ** (SLOT_BITS - prefix.bits);
}

export function slotAddresses(prefix: Network, slot: number): SlotAddresses {
  const base = prefix.base + slot * sizeOf(SLOT_BITS);
  return {
    gateway: formatAddress(base + 1),
    guest: guestOf({ base, bits: SLOT_BITS }),
    bits: SLOT_BITS,
  };
}

/** @param slot the guest's network */
export function guestOf(slot: Network): string {
  return formatAddress(slot.base + 2);
}

/** Private, and seldom in use: homes have 192.168.0.0/24 or 10.0.0.0/24, Docker 172.17 to 172.31. */
const CANDIDATES: readonly Network[] = [
  ...Array.from({ length: 55 }, (_, n) => `10.${200 + n}.0.0/16`),
  ...Array.from({ length: 16 }, (_, n) => `172.${16 + n}.0.0/16`),
  ...Array.from({ length: 2 }, (_, n) => `198.${18 + n}.0.0/16`),
].map(network);

/**
 * @param seed where to start, so that two agents of one machine seldom want the same
 * @param taken networks that the machine reaches already
 */
export function chooseGuestNetwork(seed: number, taken: readonly Network[]): Network | undefined {
  const start = seed % 55;
  const order = [
    ...CANDIDATES.slice(start, 55),
    ...CANDIDATES.slice(0, start),
    ...CANDIDATES.slice(55),
  ];
  return order.find((candidate) => !taken.some((other) => overlap(candidate, other)));
}
