import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseGuestNetwork,
  conflictingRoute,
  closedNetworks,
  contains,
  disjoint,
  formatNetwork,
  isPublic,
  network,
  NEVER_PUBLIC,
  overlap,
  parseNetwork,
  slotAddresses,
  slotCount,
  type HostRoute,
} from './addresses.ts';

const networks = fc
  .record({
    address: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    bits: fc.integer({ min: 0, max: 32 }),
  })
  .map(({ address, bits }) => ({ base: address - (address % 2 ** (32 - bits)), bits }));
const within = (address: number, { base, bits }: { base: number; bits: number }) =>
  address >= base && address < base + 2 ** (32 - bits);

describe('networks', () => {
  test('are read as they are written', () => {
    fc.assert(
      fc.property(networks, (any) => {
        expect(parseNetwork(formatNetwork(any))).toEqual(any);
      }),
    );
    expect(formatNetwork(network('192.168.77.10/24'))).toBe('192.168.77.0/24');
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '1.2.3.4/33',
      '::1',
      '1.2.3.4/',
      ' 1.2.3.4',
    ]) {
      expect(parseNetwork(text)).toBeUndefined();
    }
  });

  test('overlap where they share an address', () => {
    fc.assert(
      fc.property(networks, networks, (a, b) => {
        const shared = within(a.base, b) || within(b.base, a);
        expect(overlap(a, b)).toBe(shared);
        expect(contains(a, b)).toBe(a.bits <= b.bits && within(b.base, a));
      }),
    );
  });

  test('without those that others contain cover the same, and share nothing', () => {
    fc.assert(
      fc.property(fc.array(networks, { maxLength: 12 }), (any) => {
        const kept = disjoint(any);
        for (const one of any) expect(kept.some((outer) => contains(outer, one))).toBe(true);
        for (const [at, one] of kept.entries()) {
          for (const other of kept.slice(at + 1)) expect(overlap(one, other)).toBe(false);
        }
      }),
    );
  });
});

test.each([
  ['10.1.2.3', false],
  ['100.100.100.100', false],
  ['127.0.0.53', false],
  ['169.254.169.254', false],
  ['172.31.0.1', false],
  ['192.168.1.1', false],
  ['239.255.255.250', false],
  ['255.255.255.255', false],
  ['0.0.0.0', false],
  ['2001:db8::1', false],
  ['unknown', false],
  ['1.1.1.1', true],
  ['100.128.0.1', true],
  ['172.32.0.1', true],
  ['198.51.100.2', true],
  ['223.255.255.255', true],
])('%s is public: %s', (address, expected) => {
  expect(isPublic(address)).toBe(expected);
});

describe('what is closed beside the private networks', () => {
  const route = (
    destination: string,
    device: string,
    more: Partial<HostRoute> = {},
  ): HostRoute => ({
    destination: network(destination),
    device,
    connected: false,
    ...more,
  });
  const closed = (routes: HostRoute[], further: string[] = []) =>
    closedNetworks({ addresses: [], routes }, further);
  const uplink = route('0.0.0.0/0', 'eth0', { gateway: '203.0.113.1' });

  test('is the machine, its router and its neighbours, also with public addresses', () => {
    const connected = route('203.0.113.0/24', 'eth0', { connected: true });
    expect(closed([uplink, connected])).toEqual(['203.0.113.0/24']);
    expect(closedNetworks({ addresses: ['203.0.113.9'], routes: [uplink] }, [])).toEqual([
      '203.0.113.1',
      '203.0.113.9',
    ]);
  });

  test('is what only another device reaches, but not the Internet through a VPN', () => {
    expect(closed([uplink, route('20.0.0.0/16', 'wg0')])).toContain('20.0.0.0/16');
    const halves = ['0.0.0.0/1', '128.0.0.0/1', '45.0.0.0/8'].map((to) => route(to, 'tun0'));
    expect(closed([uplink, ...halves])).toEqual(['203.0.113.1']);
  });

  test('takes nothing from a guest whose own route is narrower', () => {
    const guest = network('10.214.0.4/30');
    const conflict = (destination: string, table?: string) =>
      conflictingRoute([uplink, route(destination, 'tun0', { table })], guest)?.device;
    expect(conflict('10.0.0.0/8')).toBeUndefined();
    expect(conflict('10.214.0.0/16')).toBeUndefined();
    expect(conflict('10.214.0.0/30')).toBeUndefined();
    expect(conflict('0.0.0.0/0', '51820')).toBeUndefined();
    for (const inside of ['10.214.0.4/30', '10.214.0.6']) expect(conflict(inside)).toBe('tun0');
    expect(conflict('10.0.0.0/8', '52')).toBe('tun0');
  });

  test('is what the operator says, and no IPv6 makes it fail', () => {
    expect(closed([], ['198.51.100.7', '2001:db8::1', 'unknown'])).toEqual(['198.51.100.7']);
  });
});

describe('guests', () => {
  test('have addresses of their own within the network of all', () => {
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 28 }), fc.nat(), fc.nat(), (bits, a, b) => {
        const prefix = network(`10.200.0.0/${bits}`);
        const slots = [a, b].map((n) => n % slotCount(prefix));
        const [one, other] = slots.map((slot) => slotAddresses(prefix, slot));
        for (const text of [one?.guest, one?.gateway]) {
          expect(contains(prefix, network(text ?? ''))).toBe(true);
        }
        const same = overlap(network(`${one?.guest}/30`), network(`${other?.guest}/30`));
        expect(same).toBe(slots[0] === slots[1]);
      }),
    );
    expect(slotAddresses(network('10.200.0.0/16'), 1)).toEqual({
      gateway: '10.200.0.5',
      guest: '10.200.0.6',
      bits: 30,
    });
  });

  test('are in no network that the machine reaches already, and in a private one', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(networks, { maxLength: 5 }), (seed, taken) => {
        const chosen = chooseGuestNetwork(seed, taken);
        if (!chosen) return;
        expect(taken.some((other) => overlap(chosen, other))).toBe(false);
        expect(NEVER_PUBLIC.some((closedOne) => contains(closedOne, chosen))).toBe(true);
      }),
    );
    expect(chooseGuestNetwork(0, [network('10.0.0.0/8')])).toEqual(network('172.16.0.0/16'));
    expect(chooseGuestNetwork(0, [network('0.0.0.0/0')])).toBeUndefined();
  });
});
