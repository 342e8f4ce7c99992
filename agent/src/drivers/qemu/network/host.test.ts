import { expect, test } from 'vitest';
import { network } from './addresses.ts';
import { parseHostNetwork } from './host.ts';

/** As iproute2 6.1 says it. */
const ADDRESSES = `[{"ifindex":1,"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},
  {"ifindex":4,"ifname":"e0","addr_info":[{"family":"inet","local":"192.168.77.10","prefixlen":24}]},{}]`;
const ROUTES = `[{"dst":"default","gateway":"192.168.77.1","dev":"e0","flags":[]},
  {"dst":"192.168.77.0/24","dev":"e0","protocol":"kernel","scope":"link","prefsrc":"192.168.77.10","flags":[]},
  {"type":"local","dst":"192.168.77.10","dev":"e0","table":"local","protocol":"kernel","scope":"host"},
  {"type":"unreachable","dst":"10.9.0.0/16","flags":[]},
  {"dst":"100.64.0.0/10","dev":"tailscale0","table":"52","flags":[]},
  {"dst":"45.0.0.0/8","nexthops":[{"gateway":"192.168.77.2","dev":"e0"},{"gateway":"192.168.77.3","dev":"e1"}]},
  {"dst":"10.214.0.0/30","dev":"golemab12-0","protocol":"kernel","scope":"link"}]`;

test('addresses and routes are what iproute2 says, without the devices of guests', () => {
  const { addresses, routes } = parseHostNetwork(ADDRESSES, ROUTES, 'golemab12-');
  expect(addresses).toEqual(['127.0.0.1', '192.168.77.10']);
  const through = (destination: string, device: string, gateway?: string, connected = false) => ({
    destination: network(destination),
    device,
    gateway,
    connected,
    table: device === 'tailscale0' ? '52' : undefined,
  });
  expect(routes).toEqual([
    through('0.0.0.0/0', 'e0', '192.168.77.1'),
    through('192.168.77.0/24', 'e0', undefined, true),
    through('100.64.0.0/10', 'tailscale0'),
    through('45.0.0.0/8', 'e0', '192.168.77.2'),
    through('45.0.0.0/8', 'e1', '192.168.77.3'),
  ]);
  const devices = parseHostNetwork('', ROUTES, undefined).routes.map(({ device }) => device);
  expect(devices).toContain('golemab12-0');
});
