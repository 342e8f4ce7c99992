/** The guest's network card, as QEMU and as cloud-init know it. Pure. */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';

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

/** @param netdev QEMU's arguments for the host's end, whose id is `net0` */
export function cardArguments(vmId: string, netdev: string): string[] {
  const device = `virtio-net-pci,netdev=net0,mac=${macAddress(vmId)},romfile=`;
  return ['-netdev', netdev, '-device', device];
}

export interface CardAddresses {
  /** With its prefix length. */
  readonly address: string;
  readonly gateway: string;
  readonly nameservers: readonly string[];
}

/** Network configuration version 2, in block lists: the smallest reader of it knows no others. */
export function networkDocument(
  vmId: string,
  { address, gateway, nameservers }: CardAddresses,
): string {
  return stringify({
    version: 2,
    ethernets: {
      eth0: {
        match: { macaddress: macAddress(vmId) },
        'set-name': 'eth0',
        addresses: [address],
        routes: [{ to: '0.0.0.0/0', via: gateway }],
        nameservers: { addresses: [...nameservers] },
      },
    },
  });
}
