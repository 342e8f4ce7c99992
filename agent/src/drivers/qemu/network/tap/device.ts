/** A guest's network device of the machine, as iproute2 and the kernel's settings make it. As root. */
import { writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { DriverError } from '../../../driver.ts';
import type { SlotAddresses } from '../addresses.ts';
import { attempt, command } from '../commands.ts';
import type { GuestUser } from '../network.ts';

/** @param user who may open it; without one the agent's own */
export async function addDevice(device: string, user: GuestUser | undefined): Promise<void> {
  await command([
    ...['ip', 'tuntap', 'add', 'dev', device, 'mode', 'tap'],
    ...['user', String(user?.uid ?? process.getuid?.() ?? 0)],
  ]);
}

/** Gives the host's end its address, and the guest the way out. */
export async function raiseDevice(device: string, { gateway, bits }: SlotAddresses): Promise<void> {
  const settings = `/proc/sys/net/ipv4/conf/${device}`;
  // A guest that asks for the host's other addresses is not answered, nor one that asks in the name of
  // another network: each such sender would take a place in the machine's table of neighbours.
  await writeFile(`${settings}/arp_ignore`, '2');
  // It cannot move routes.
  await writeFile(`${settings}/accept_redirects`, '0');
  await writeFile(`${settings}/send_redirects`, '0');
  await writeFile(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`, '1').catch(ignoreMissing);
  await command(['ip', '-batch', '-'], {
    input: `address add ${gateway}/${bits} dev ${device}\nlink set ${device} up\n`,
  });
}

export async function removeDevice(device: string): Promise<void> {
  const { status, stderr } = await attempt(['ip', 'link', 'delete', device]);
  if (status === 0 || stderr.includes('Cannot find device')) return;
  throw new DriverError('unavailable', `The device ${device} cannot be removed: ${stderr.trim()}`);
}

export async function devicesOf(prefix: string): Promise<string[]> {
  const text = await command(['ip', '-json', 'link', 'show']);
  const names = z.array(z.object({ ifname: z.string() })).parse(JSON.parse(text));
  return names.map(({ ifname }) => ifname).filter((name) => name.startsWith(prefix));
}

/** A kernel without IPv6. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
