/** The books on disk: records that are only ever added, and one open interval for each VM. */
import * as z from 'zod';
import type { Database, Value } from '../store/database.ts';
import { DAY, type Interval, type Meter, type Tariff } from './meter.ts';

/** A VM as the books know it, long after it is forgotten elsewhere. */
export interface Booked {
  /** Rises with every VM. */
  readonly vm: number;
  readonly id: string;
  readonly name: string;
  readonly owner: string;
}

const bookedRow = z.object({ vm: z.number(), id: z.string(), name: z.string(), owner: z.string() });

const tariffColumns = {
  running: z.number(),
  cpus: z.number(),
  memory_mib: z.number(),
  storage_gib: z.number(),
  hourly_price: z.number(),
};
const meterRow = bookedRow.extend({ from_at: z.number(), seen_at: z.number(), ...tariffColumns });
const recordRow = bookedRow.extend({ from_at: z.number(), to_at: z.number(), ...tariffColumns });
const sumRow = z.object({ hourly_price: z.number(), millis: z.number() });
const earnedRow = bookedRow.extend({
  day: z.string(),
  running: z.number(),
  hourly_price: z.number(),
  millis: z.number(),
});

export type BookedInterval = Booked & Interval;
export type BookedMeter = Booked & Meter;

/** Time for which one price was charged within one group of records. */
export interface Earned extends Booked {
  /** `2026-12-31`, or `2026-12`, or empty. */
  readonly day: string;
  readonly running: boolean;
  readonly hourlyPrice: number;
  readonly millis: number;
}

/** How much of a date is told apart: strftime's formats. */
const DATES = { vm: '', day: '%Y-%m-%d', month: '%Y-%m' } as const;

export class UsageTable {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The last time that anything was charged up to; 0 when nothing is open. */
  get last(): number {
    const row = this.#db.get('SELECT COALESCE(MAX(seen_at), 0) last FROM usage_meters');
    return z.object({ last: z.number() }).parse(row).last;
  }

  meter(vmId: string): BookedMeter | undefined {
    return this.#meters('WHERE v.id = ?', vmId)[0];
  }

  meters(): BookedMeter[] {
    return this.#meters('');
  }

  metersOf(owner: string): BookedMeter[] {
    return this.#meters('WHERE v.owner = ?', owner);
  }

  /** @returns its number in the books */
  enter({ id, name, owner }: Omit<Booked, 'vm'>): number {
    const known = 'SELECT vm FROM usage_vms WHERE id = ?';
    if (this.#db.get(known, id) === undefined) {
      this.#db.run('INSERT INTO usage_vms (id, name, owner) VALUES (?, ?, ?)', id, name, owner);
    }
    return z.object({ vm: z.number() }).parse(this.#db.get(known, id)).vm;
  }

  /** @param meter none when nothing is charged any more */
  set(vm: number, meter: Meter | undefined): void {
    if (!meter) {
      this.#db.run('DELETE FROM usage_meters WHERE vm = ?', vm);
      return;
    }
    this.#db.run(
      `INSERT OR REPLACE INTO usage_meters (vm, from_at, seen_at, running, cpus, memory_mib, storage_gib,
        hourly_price) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[vm, meter.from, meter.seen, ...valuesOf(meter.tariff)],
    );
  }

  /** Within one day, and from where the last record of the VM ended: the store refuses anything else. */
  append(vm: number, { from, to, tariff }: Interval): void {
    this.#db.run(
      `INSERT INTO usage (vm, from_at, to_at, running, cpus, memory_mib, storage_gib, hourly_price)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[vm, from, to, ...valuesOf(tariff)],
    );
  }

  /** Behind the record of `after`, in the order of VMs and of time. */
  page(
    { owner, vmId }: { readonly owner: string; readonly vmId: string | undefined },
    after: { readonly vm: number; readonly from: number },
    limit: number,
  ): BookedInterval[] {
    return this.#db
      .all(
        `SELECT v.*, u.* FROM usage_vms v JOIN usage u ON u.vm = v.vm
          WHERE v.owner = ?1 AND (?2 IS NULL OR v.id = ?2) AND (u.vm, u.from_at) > (?3, ?4)
          ORDER BY u.vm, u.from_at LIMIT ?5`,
        ...[owner, vmId ?? null, after.vm, after.from, limit],
      )
      .map((row) => {
        const record = recordRow.parse(row);
        const { vm, id, name } = record;
        const { from_at: from, to_at: to } = record;
        return { vm, id, name, owner, from, to, tariff: tariffOfRow(record) };
      });
  }

  /**
   * Milliseconds by VM and price, which a trigger adds up with every record: sums of prices times
   * milliseconds might not fit into SQLite's integers.
   */
  sums(owner: string, vmId: string | undefined): { hourlyPrice: number; millis: number }[] {
    return this.#db
      .all(
        `SELECT s.hourly_price, s.millis FROM usage_vms v JOIN usage_sums s ON s.vm = v.vm
          WHERE v.owner = ?1 AND (?2 IS NULL OR v.id = ?2)`,
        ...[owner, vmId ?? null],
      )
      .map((row) => sumRow.parse(row))
      .map(({ hourly_price: hourlyPrice, millis }) => ({ hourlyPrice, millis }));
  }

  /**
   * What was charged between two times, in groups. Records that cost anything lie within a day: so far
   * back the search begins, in the records of each VM.
   */
  earned(by: 'vm' | 'day' | 'month', from: number, to: number): Earned[] {
    const group = by === 'vm' ? 'u.vm' : 'day';
    return this.#db
      .all(
        `SELECT v.*, strftime('${DATES[by]}', u.from_at / 1000, 'unixepoch') day, u.running, u.hourly_price,
            SUM(MIN(u.to_at, ?2) - MAX(u.from_at, ?1)) millis
          FROM usage_vms v CROSS JOIN usage u ON u.vm = v.vm
          WHERE u.from_at > ?1 - ${DAY} AND u.to_at > ?1 AND u.from_at < ?2
            AND (u.running = 1 OR u.hourly_price > 0)
          GROUP BY ${group}, u.running, u.hourly_price ORDER BY ${group}`,
        ...[from, to],
      )
      .map((row) => {
        const { hourly_price: hourlyPrice, running, ...rest } = earnedRow.parse(row);
        return { ...rest, hourlyPrice, running: running === 1 };
      });
  }

  #meters(where: string, ...values: readonly Value[]): BookedMeter[] {
    return this.#db
      .all(
        `SELECT v.*, m.* FROM usage_meters m JOIN usage_vms v ON v.vm = m.vm ${where} ORDER BY m.vm`,
        ...values,
      )
      .map((row) => {
        const meter = meterRow.parse(row);
        const { vm, id, name, owner, from_at: from, seen_at: seen } = meter;
        return { vm, id, name, owner, from, seen, tariff: tariffOfRow(meter) };
      });
  }
}

function valuesOf({ running, resources, hourlyPrice }: Tariff): Value[] {
  const { cpus, memoryMiB, storageGiB } = resources;
  return [running ? 1 : 0, cpus, memoryMiB, storageGiB, hourlyPrice];
}

function tariffOfRow(row: z.infer<z.ZodObject<typeof tariffColumns>>): Tariff {
  return {
    running: row.running === 1,
    resources: { cpus: row.cpus, memoryMiB: row.memory_mib, storageGiB: row.storage_gib },
    hourlyPrice: row.hourly_price,
  };
}
