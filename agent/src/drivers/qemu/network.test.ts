import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Qmp } from './qmp.ts';
import { macAddress, restrictedNetwork } from './network.ts';

const vmId = `vm_${'b'.repeat(20)}`;

test('the card has one address in QEMU and in the seed', () => {
  const mac = macAddress(vmId);
  expect(mac).toMatch(/^52:54:00(?::[0-9a-f]{2}){3}$/);
  expect(restrictedNetwork.arguments(vmId).join(' ')).toContain(`mac=${mac}`);
  expect(parse(restrictedNetwork.document(vmId))).toMatchObject({
    version: 2,
    ethernets: { eth0: { match: { macaddress: mac }, addresses: ['10.0.2.15/24'] } },
  });
  expect(macAddress(`vm_${'c'.repeat(20)}`)).not.toBe(mac);
});

test('a guest reaches nobody', () => {
  const [, netdev] = restrictedNetwork.arguments(vmId);
  expect(netdev).toContain('restrict=on');
  expect(netdev).toContain('ipv6=off');
  expect(netdev).toContain('hostfwd=tcp:127.0.0.1:0-:22');
});

test('a monitor that names no port is an error, not port NaN', async () => {
  const qmp = { monitor: async () => 'Hub 0:\r\n' } as unknown as Qmp;
  await expect(restrictedNetwork.locate(qmp)).rejects.toMatchObject({ code: 'failed' });
});
