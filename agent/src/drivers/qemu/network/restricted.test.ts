import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Qmp } from '../qmp.ts';
import { macAddress } from './card.ts';
import { restrictedNetwork } from './restricted.ts';

const vmId = `vm_${'b'.repeat(20)}`;
const options = { signal: new AbortController().signal };

test('the card has one address in QEMU and in the seed', async () => {
  const mac = macAddress(vmId);
  expect(mac).toMatch(/^52:54:00(?::[0-9a-f]{2}){3}$/);
  const connection = await restrictedNetwork.open(vmId, options);
  expect(connection.arguments.join(' ')).toContain(`mac=${mac}`);
  expect(parse(await restrictedNetwork.document(vmId))).toMatchObject({
    version: 2,
    ethernets: { eth0: { match: { macaddress: mac }, addresses: ['10.0.2.15/24'] } },
  });
  expect(macAddress(`vm_${'c'.repeat(20)}`)).not.toBe(mac);
});

test('a guest reaches nobody', async () => {
  const connection = await restrictedNetwork.open(vmId, options);
  const [, netdev] = connection.arguments;
  expect(netdev).toContain('restrict=on');
  expect(netdev).toContain('ipv6=off');
  expect(netdev).toContain('hostfwd=tcp:127.0.0.1:0-:22');
});

test('a monitor that names no port is an error, not port NaN', async () => {
  const qmp = { monitor: async () => 'Hub 0:\r\n' } as unknown as Qmp;
  await expect(restrictedNetwork.locate(vmId, qmp)).rejects.toMatchObject({ code: 'failed' });
});
