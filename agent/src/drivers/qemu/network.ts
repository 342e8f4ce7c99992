/** How a guest is connected: what it can reach, and how we reach its SSH port. */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { stringify } from 'yaml';
import { DriverError, type DriverFacts } from '../driver.ts';
import { dialTcp } from '../tcp.ts';
import type { Qmp } from './qmp.ts';

/** The seam for networks to come (tap, pasta): nothing else knows how packets travel. */
export interface GuestNetwork {
  readonly isolation: DriverFacts['isolation'];
  /** Arguments of QEMU that give the guest its network card. */
  arguments(vmId: string): string[];
  /** The `network-config` document of the guest's seed. */
  document(vmId: string): string;
  /** Finds the way to the SSH port of a guest that runs. */
  locate(qmp: Qmp): Promise<SshEndpoint>;
}

export interface SshEndpoint {
  dial(signal: AbortSignal): Promise<Duplex>;
}

/**
 * QEMU's user network with everything closed: the guest reaches nobody, and is reached by one port
 * of the loopback interface that the kernel chooses.
 */
export const restrictedNetwork: GuestNetwork = {
  isolation: 'restricted',
  arguments: (vmId) => [
    '-netdev',
    'user,id=net0,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22',
    '-device',
    `virtio-net-pci,netdev=net0,mac=${macAddress(vmId)},romfile=`,
  ],
  document: (vmId) =>
    networkDocument(macAddress(vmId), {
      address: '10.0.2.15/24',
      gateway: '10.0.2.2',
      nameserver: '10.0.2.3',
    }),
  async locate(qmp) {
    const table = await qmp.monitor('info usernet');
    const port = Number(/HOST_FORWARD\S*\s+\d+\s+127\.0\.0\.1\s+(\d+)/.exec(table)?.[1]);
    if (!Number.isInteger(port)) {
      throw new DriverError('failed', 'QEMU does not say where the SSH port of the guest is.');
    }
    return { dial: (signal) => dialTcp('127.0.0.1', port, signal) };
  },
};

/** Locally administered, and always the same for one VM: cloud-init finds its card by it. */
export function macAddress(vmId: string): string {
  const digest = createHash('sha256').update(vmId).digest();
  return [
    '52',
    '54',
    '00',
    ...[0, 1, 2].map((at) => digest.subarray(at, at + 1).toString('hex')),
  ].join(':');
}

/** Network configuration version 2, in block lists: the smallest reader of it knows no others. */
function networkDocument(
  mac: string,
  net: { readonly address: string; readonly gateway: string; readonly nameserver: string },
): string {
  return stringify({
    version: 2,
    ethernets: {
      eth0: {
        match: { macaddress: mac },
        'set-name': 'eth0',
        addresses: [net.address],
        routes: [{ to: '0.0.0.0/0', via: net.gateway }],
        nameservers: { addresses: [net.nameserver] },
      },
    },
  });
}
