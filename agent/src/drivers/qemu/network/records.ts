/**
 * What a network remembers of each guest, in a folder of its own that no guest's QEMU can write to:
 * which addresses it has, what it may use, and what it has used.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import * as z from 'zod';
import { DriverError } from '../../driver.ts';
import { Turns } from '../../turns.ts';
import type { Traffic } from './network.ts';
import { NO_COUNTS, type GuestCounts } from './nft/counters.ts';

const bytes = z.number().int().nonnegative();
const recordSchema = z.object({
  /** The guest's place among all networks of four addresses. */
  slot: z.number().int().nonnegative(),
  bitsPerSecond: z.number().int().positive().optional(),
  /** As far as it was read: the kernel forgets it when the machine restarts. */
  receivedBytes: bytes.default(0),
  sentBytes: bytes.default(0),
});
export type NetworkRecord = z.output<typeof recordSchema>;

const SUFFIX = '.json';
/** Holds the slot that the next guest is offered. */
const NEXT = 'next-slot';

export class Records {
  readonly #dir: string;
  readonly #slots: number;
  readonly #records: Map<string, NetworkRecord>;
  #next: number;
  readonly #turns = new Turns();

  private constructor(
    dir: string,
    slots: number,
    records: Map<string, NetworkRecord>,
    next: number,
  ) {
    this.#dir = dir;
    this.#slots = slots;
    this.#records = records;
    this.#next = next;
  }

  /**
   * @param slots how many guests there is room for
   * @throws {DriverError} `unavailable` when a record is damaged: its guest would lose its address
   */
  static async open(dir: string, slots: number): Promise<Records> {
    await mkdir(dir, { recursive: true, mode: 0o711 });
    const records = new Map<string, NetworkRecord>();
    for (const name of await readdir(dir)) {
      const vmId = name.slice(0, -SUFFIX.length);
      if (!name.endsWith(SUFFIX) || !vmIdSchema.safeParse(vmId).success) continue;
      try {
        const text = await readFile(join(dir, name), 'utf8');
        records.set(vmId, recordSchema.parse(JSON.parse(text)));
      } catch (cause) {
        throw new DriverError('unavailable', `The network record of ${vmId} is damaged.`, {
          cause,
        });
      }
    }
    return new Records(dir, slots, records, await readNext(join(dir, NEXT)));
  }

  get ids(): string[] {
    return [...this.#records.keys()];
  }

  /** By id of the guest. */
  get entries(): [string, NetworkRecord][] {
    return [...this.#records];
  }

  get(vmId: string): NetworkRecord | undefined {
    return this.#records.get(vmId);
  }

  /**
   * Slots are given out in turn: what the machine remembers of a guest that is gone, such as its
   * connections, is not to be the next guest's, and what others send to it neither.
   * @throws {DriverError} `failed` when all slots are taken
   */
  async ensure(vmId: string): Promise<NetworkRecord> {
    const known = this.#records.get(vmId);
    if (known) return known;
    const taken = new Set([...this.#records.values()].map(({ slot }) => slot));
    if (taken.size >= this.#slots) {
      throw new DriverError('failed', `The guest network has room for ${this.#slots} guests.`);
    }
    let slot = this.#next % this.#slots;
    while (taken.has(slot)) slot = (slot + 1) % this.#slots;
    this.#next = (slot + 1) % this.#slots;
    const [record] = await Promise.all([
      this.update(vmId, { slot, receivedBytes: 0, sentBytes: 0 }),
      this.#turns.take(() => this.#write(join(this.#dir, NEXT), `${this.#next}\n`)),
    ]);
    return record;
  }

  /** Takes over what a guest may use from now on, if anybody says. */
  async cap(
    vmId: string,
    bitsPerSecond: (() => number | undefined) | undefined,
  ): Promise<NetworkRecord> {
    const record = await this.ensure(vmId);
    return bitsPerSecond
      ? this.update(vmId, { ...record, bitsPerSecond: bitsPerSecond() })
      : record;
  }

  async update(vmId: string, record: NetworkRecord): Promise<NetworkRecord> {
    if (isDeepStrictEqual(this.#records.get(vmId), record)) return record;
    // In memory first, so that nobody is given the same slot meanwhile.
    this.#records.set(vmId, record);
    await this.#write(this.#path(vmId), JSON.stringify(record));
    return record;
  }

  async delete(vmId: string): Promise<void> {
    await rm(this.#path(vmId), { force: true });
    this.#records.delete(vmId);
  }

  async #write(path: string, text: string): Promise<void> {
    await writeFile(`${path}.next`, text, { mode: 0o600 });
    await rename(`${path}.next`, path);
  }

  #path(vmId: string): string {
    return join(this.#dir, `${vmId}${SUFFIX}`);
  }
}

async function readNext(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  // A half-written one only means that a slot comes again sooner.
  return /^\d{1,9}\n$/.test(text) ? Number(text) : 0;
}

/** What counters start with that the kernel does not have: the machine was started again. */
export function storedCounts(record: NetworkRecord): GuestCounts {
  return {
    ...NO_COUNTS,
    received: { packets: 0, bytes: record.receivedBytes },
    sent: { packets: 0, bytes: record.sentBytes },
  };
}

export function withCounts(record: NetworkRecord, { received, sent }: GuestCounts): NetworkRecord {
  return { ...record, receivedBytes: received.bytes, sentBytes: sent.bytes };
}

export function trafficOf(record: NetworkRecord | undefined): Traffic | undefined {
  return record && { receivedBytes: record.receivedBytes, sentBytes: record.sentBytes };
}
