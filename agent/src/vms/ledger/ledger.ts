/**
 * Keeps the books: what every VM costs, from when to when. It observes every change of a VM and writes in
 * the transaction of that change; what it knows is on disk, so that a kill costs nobody a second.
 */
import type { UsagePage } from '@vm-on-golem/shared/vm-records';
import * as z from 'zod';
import type { Host } from '../leases/clock.ts';
import type { Observer, Recorded } from '../recorder.ts';
import type { VmRecord } from '../records.ts';
import type { Store } from '../store/store.ts';
import { readEarnings, type Earnings, type EarningsQuery } from './earnings.ts';
import {
  byDays,
  isSame,
  look,
  skip,
  tariffOf,
  turn,
  wasSeen,
  type Reading,
  type Tariff,
} from './meter.ts';
import { UsageTable } from './table.ts';
import { LedgerTime, type LedgerTimeOptions } from './time.ts';
import { readUsage, type UsageQuery } from './usage.ts';

const FACT = 'ledger-clock';
const anchorSchema = z.object({
  boot: z.string(),
  /** Milliseconds of uptime at which it was `at`. */
  up: z.number(),
  /** Milliseconds since 1970, as they are charged. */
  at: z.number(),
});

export interface LedgerOptions {
  readonly store: Store;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds that the machine has been awake; never goes back. */
  readonly awake: () => number;
  readonly host: Host;
  /** How long an interval stays open at most, in milliseconds. */
  readonly everyMillis: number;
}

export class Ledger implements Observer {
  readonly #options: LedgerOptions;
  readonly #table: UsageTable;
  readonly #time: LedgerTime;
  /** VMs that this program has itself seen running, the last time that it looked. */
  #confirmed = new Set<string>();
  /** VMs that it has itself brought up, or found up, since. */
  #risen = new Set<string>();

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#table = new UsageTable(options.store.db);
    this.#time = new LedgerTime({ ...options, ...this.#onDisk() });
  }

  changed({ before, after }: Recorded): void {
    const next = tariffOf(after);
    this.#turn(before, after, next);
    if (next?.running && after.phase === 'running' && before?.phase !== 'running') {
      this.#confirmed.add(after.id);
      this.#risen.add(after.id);
    }
  }

  /**
   * Takes down what was seen: the heartbeat of the books. To be called with every look at the hypervisor,
   * with nobody alive when that cannot be asked.
   */
  look(isAlive: (vmId: string) => boolean): void {
    const { store, everyMillis } = this.#options;
    const confirmed = new Set<string>();
    this.#time.advance((now, leap) => {
      store.transaction(() => {
        for (const meter of this.#table.meters()) {
          const alive = isAlive(meter.id) || this.#risen.has(meter.id);
          if (alive) confirmed.add(meter.id);
          const rest = leap ? this.#write(meter.vm, skip(meter, leap)) : meter;
          if (rest) this.#write(meter.vm, look(rest, now, alive, everyMillis));
        }
        this.#openMissing(now);
        const { bootId, uptime } = this.#options.host;
        store.facts.put(FACT, { boot: bootId, up: uptime(), at: now });
      });
    });
    this.#confirmed = confirmed;
    this.#risen = new Set();
  }

  /** The records of one requestor's own VMs, and what they cost up to now. */
  usage(owner: string, query: UsageQuery): UsagePage {
    return readUsage(this.#table, owner, query, this.#time.now);
  }

  /** What was earned, days and months being those of UTC. */
  earnings(query: EarningsQuery): Earnings {
    return readEarnings(this.#table, query, this.#time.now);
  }

  /** Up to when the books are kept, and for how long the machine was up since, in this very boot. */
  #onDisk(): Pick<LedgerTimeOptions, 'last' | 'passed'> {
    const { store, host } = this.#options;
    const saved = store.facts.get(FACT, anchorSchema);
    const seen = this.#table.last;
    if (!saved) return { last: seen === 0 ? undefined : seen, passed: 0 };
    const last = Math.max(seen, saved.at);
    const up = host.bootId === saved.boot ? Math.max(0, host.uptime() - saved.up) : 0;
    return { last, passed: Math.max(0, saved.at + up - last) };
  }

  #turn(before: VmRecord | undefined, after: VmRecord, next: Tariff | undefined): void {
    const open = this.#table.meter(after.id);
    if (!open && !next) return;
    if (open && next && isSame(open.tariff, next)) return;
    const { now } = this.#time;
    const certain =
      this.#confirmed.has(after.id) && before !== undefined && !wasSeen(before, after);
    this.#write(open?.vm ?? this.#table.enter(after), turn(open, next, now, certain));
    if (!open?.tariff.running) return;
    // Whatever runs from here on has not been seen yet.
    this.#confirmed.delete(after.id);
    this.#risen.delete(after.id);
  }

  #write(vm: number, { meter, intervals }: Reading): Reading['meter'] {
    for (const interval of intervals) {
      for (const day of byDays(interval)) this.#table.append(vm, day);
    }
    this.#table.set(vm, meter);
    return meter;
  }

  /** VMs of a store that was written before there were books are charged from now on. */
  #openMissing(now: number): void {
    const open = new Set(this.#table.meters().map(({ id }) => id));
    for (const vm of this.#options.store.vms.live()) {
      const tariff = tariffOf(vm);
      if (!tariff || open.has(vm.id)) continue;
      this.#write(this.#table.enter(vm), turn(undefined, tariff, now, true));
    }
  }
}
