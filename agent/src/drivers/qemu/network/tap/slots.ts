/** What follows from a guest's slot: its device, its addresses, its place in the rules. Pure. */
import { createHash } from 'node:crypto';
import { slotAddresses, type Network, type SlotAddresses } from '../addresses.ts';
import { macAddress } from '../card.ts';
import { GUEST_DEVICE } from '../network.ts';
import type { GuestRules } from '../nft/tap-table.ts';
import type { NetworkRecord } from '../records.ts';

/** What one agent calls its things, so that several have room on a machine. */
export interface Naming {
  /** Of nftables. */
  readonly table: string;
  /** What the devices of its guests start with. */
  readonly devicePrefix: string;
  /** Where to start looking for a free network. */
  readonly seed: number;
}

/** @param dir the agent's own, absolute */
export function namingOf(dir: string): Naming {
  const digest = createHash('sha256').update(dir).digest();
  const id = digest.subarray(0, 2).toString('hex');
  // Linux allows 15 characters, and the numbers of 16384 guests take five.
  const devicePrefix = `${GUEST_DEVICE}${id}-`;
  return { table: `golem_${id}`, devicePrefix, seed: digest.readUInt16BE(2) };
}

type Slot = Pick<NetworkRecord, 'slot'>;

export class Slots {
  /** What all guests have their addresses from. */
  readonly prefix: Network;
  readonly #devicePrefix: string;

  constructor(prefix: Network, devicePrefix: string) {
    this.prefix = prefix;
    this.#devicePrefix = devicePrefix;
  }

  addresses({ slot }: Slot): SlotAddresses {
    return slotAddresses(this.prefix, slot);
  }

  device({ slot }: Slot): string {
    return `${this.#devicePrefix}${slot}`;
  }

  /** Of a guest's counters and chains. */
  name({ slot }: Slot): string {
    return `g${slot}`;
  }

  rules(vmId: string, record: NetworkRecord): GuestRules {
    return {
      name: this.name(record),
      device: this.device(record),
      address: this.addresses(record).guest,
      mac: macAddress(vmId),
      bitsPerSecond: record.bitsPerSecond,
    };
  }
}
