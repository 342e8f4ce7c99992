/** The books as the operator reads them. */
import { byDays, pending } from './meter.ts';
import { Sum } from './money.ts';
import type { Earned, UsageTable } from './table.ts';

export interface EarningsQuery {
  readonly by: 'vm' | 'day' | 'month';
  /** From this time on, up to and without `to`. Milliseconds since 1970. */
  readonly from?: number;
  readonly to?: number;
}

export interface EarningsRow {
  /** Id of the VM, `2026-12-31`, or `2026-12`. */
  readonly key: string;
  /** Where rows are VMs. */
  readonly vm?: { readonly name: string; readonly owner: string };
  /** Time that was charged in full, over all VMs. */
  readonly runningMillis: number;
  /** Time in which disks alone were charged. */
  readonly storedMillis: number;
  /** Rounded down for itself: rows need not add up to the total. */
  readonly nanoUsd: number;
}

export interface Earnings {
  /** In the order of time, or in which VMs came. */
  readonly rows: readonly EarningsRow[];
  /** nano-USD. */
  readonly total: number;
}

interface Row {
  readonly vm: EarningsRow['vm'];
  runningMillis: number;
  storedMillis: number;
  readonly sum: Sum;
}

export function readEarnings(table: UsageTable, query: EarningsQuery, now: number): Earnings {
  const { by, from = 0, to = Number.MAX_SAFE_INTEGER } = query;
  const rows = new Map<string, Row>();
  const total = new Sum();
  for (const earned of [...table.earned(by, from, to), ...open(table, by, from, to, now)]) {
    const { id, name, owner, day, running, hourlyPrice, millis } = earned;
    const key = by === 'vm' ? id : day;
    const row = rows.get(key) ?? {
      ...{ vm: by === 'vm' ? { name, owner } : undefined, sum: new Sum() },
      ...{ runningMillis: 0, storedMillis: 0 },
    };
    rows.set(key, row);
    row[running ? 'runningMillis' : 'storedMillis'] += millis;
    row.sum.add(hourlyPrice, millis);
    total.add(hourlyPrice, millis);
  }
  const keys = by === 'vm' ? [...rows.keys()] : [...rows.keys()].toSorted();
  return { rows: keys.flatMap((key) => shown(key, rows.get(key))), total: total.nanoUsd };
}

function shown(key: string, row: Row | undefined): EarningsRow[] {
  if (!row) return [];
  const { vm, sum, ...times } = row;
  return [{ key, ...(vm ? { vm } : {}), ...times, nanoUsd: sum.nanoUsd }];
}

/** What is charged and not settled yet. */
function* open(
  table: UsageTable,
  by: EarningsQuery['by'],
  from: number,
  to: number,
  now: number,
): Generator<Earned> {
  for (const meter of table.meters()) {
    const interval = pending(meter, now);
    for (const day of interval ? byDays(interval) : []) {
      const millis = Math.min(day.to, to) - Math.max(day.from, from);
      const { running, hourlyPrice } = day.tariff;
      if (millis <= 0 || (!running && hourlyPrice === 0)) continue;
      const { vm, id, name, owner } = meter;
      const date = new Date(day.from).toISOString().slice(0, LETTERS[by]);
      yield { vm, id, name, owner, day: date, running, hourlyPrice, millis };
    }
  }
}

/** Of an ISO date. */
const LETTERS = { vm: 0, day: 10, month: 7 } as const;
