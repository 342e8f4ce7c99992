/**
 * QEMU's own user network, which needs nothing of the machine and has no rules in between: the guest
 * is reached by one port of the loopback interface that the kernel chooses.
 */
import type { DriverFacts } from '../../driver.ts';
import { DriverError } from '../../driver.ts';
import { dialTcp } from '../../tcp.ts';
import { cardArguments, networkDocument } from './card.ts';
import type { GuestNetwork } from './network.ts';

/** Everything is closed: the guest reaches nobody. For tests and demonstrations. */
export const restrictedNetwork = userNetwork('restricted', 'restrict=on');

/** Everything is open, the loopback interface of the machine and its LAN as well. */
export const unisolatedNetwork = userNetwork('none', 'restrict=off');

function userNetwork(isolation: DriverFacts['isolation'], restrict: string): GuestNetwork {
  return {
    isolation,
    async document(vmId) {
      return networkDocument(vmId, {
        address: '10.0.2.15/24',
        gateway: '10.0.2.2',
        nameservers: ['10.0.2.3'],
      });
    },
    async open(vmId) {
      const netdev = `user,id=net0,${restrict},ipv6=off,hostfwd=tcp:127.0.0.1:0-:22`;
      return { arguments: cardArguments(vmId, netdev), wrap: (command) => command };
    },
    async locate(_vmId, qmp) {
      const table = await qmp.monitor('info usernet');
      const port = Number(/HOST_FORWARD\S*\s+\d+\s+127\.0\.0\.1\s+(\d+)/.exec(table)?.[1]);
      if (!Number.isInteger(port)) {
        throw new DriverError('failed', 'QEMU does not say where the SSH port of the guest is.');
      }
      return { dial: (signal) => dialTcp('127.0.0.1', port, signal) };
    },
    // All of it is part of QEMU, and ends with it. Nobody counts.
    async close() {},
    async forget() {},
    async sweep() {},
    async traffic() {
      return undefined;
    },
    async limit() {},
    async refresh() {},
  };
}
