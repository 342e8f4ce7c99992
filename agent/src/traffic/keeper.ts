/**
 * Spares the provider's uplink: no guest has more than its share of bandwidth, and when the traffic of
 * a month is used up, no new VMs are taken and those that are there go on at a trickle.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { GuestNetwork } from '../drivers/qemu/network/network.ts';
import { read, usedBytes, type Meter, type Reading } from './meter.ts';
import type { TrafficTable } from './table.ts';

export interface TrafficLimits {
  /** Of one guest and in one direction, in bits per second. */
  readonly guestBits: number;
  /** As `guestBits`, when the month's traffic is used up. */
  readonly trickleBits: number;
  /** Of all guests in both directions; undefined for no end. */
  readonly monthBytes: number | undefined;
}

export interface TrafficOptions {
  readonly table: TrafficTable;
  /** Asked for every guest that may have passed something. */
  readonly network: Pick<GuestNetwork, 'traffic' | 'limit'>;
  readonly guests: () => readonly string[];
  /** What the relays have carried since this agent started: it passes the uplink as well. */
  readonly relayed: () => Reading;
  readonly limits: () => TrafficLimits;
  readonly now: () => number;
  readonly log: Logger;
  /** Whether new VMs are taken has changed. */
  readonly changed: () => void;
}

export class TrafficKeeper {
  readonly #options: TrafficOptions;
  #meter: Meter;
  #isUsedUp: boolean;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#meter = options.table.load(options.now());
    this.#isUsedUp = this.#exceeds();
  }

  /** Of the month that `month` names, in both directions. */
  get used(): { readonly month: string; readonly bytes: number } {
    return { month: this.#meter.month, bytes: usedBytes(this.#meter) };
  }

  /** What a guest may send and what it may receive at the moment, in bits per second. */
  get guestBits(): number {
    const { guestBits, trickleBits } = this.#options.limits();
    return this.#isUsedUp ? Math.min(trickleBits, guestBits) : guestBits;
  }

  /** Why no new VMs are taken, in words for requestors. */
  closed(): string | undefined {
    return this.#isUsedUp ? 'The provider has used up its traffic of this month.' : undefined;
  }

  /** From time to time: counts, and has the caps follow. */
  async look(): Promise<void> {
    const { table, network, guests, relayed, now, log, changed } = this.#options;
    const readings = new Map<string, Reading>([['relays', relayed()]]);
    await Promise.all(
      guests().map(async (vmId) => {
        const reading = await network.traffic(vmId);
        if (reading) readings.set(vmId, reading);
      }),
    );
    const before = this.#meter;
    this.#meter = read(before, readings, now(), (month) => table.used(month));
    if (!isDeepStrictEqual(before, this.#meter)) table.save(this.#meter);
    const isUsedUp = this.#exceeds();
    if (isUsedUp !== this.#isUsedUp) {
      this.#isUsedUp = isUsedUp;
      log.warn(
        this.used,
        isUsedUp ? 'the traffic of this month is used up' : 'there is traffic again',
      );
      changed();
    }
    for (const vmId of guests()) await network.limit(vmId, this.guestBits);
  }

  #exceeds(): boolean {
    const { monthBytes } = this.#options.limits();
    return monthBytes !== undefined && usedBytes(this.#meter) >= monthBytes;
  }
}
