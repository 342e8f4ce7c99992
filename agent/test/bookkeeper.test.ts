/** The books of a program that is killed with -9 in the middle of keeping them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Ledger } from '../src/vms/ledger/ledger.ts';
import { Store } from '../src/vms/store/store.ts';
import { scratchFolder } from './provider.ts';

const KILLS = 12;

interface Row {
  readonly vm: number;
  readonly from_at: number;
  readonly to_at: number;
  readonly running: number;
  readonly hourly_price: number;
}

test('have no gap, no overlap and no second twice, however often that happens', async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, 'provider.db');
  const begun = Date.now();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const program = join(import.meta.dirname, 'bookkeeper.ts');
    const child = spawn(process.execPath, [program, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    // Anywhere in its work: whatever a machine does with this time is as good.
    await pass(20 + 7 * kill);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  using store = new Store(path);
  const rows = store.db.all('SELECT * FROM usage ORDER BY vm, from_at') as Row[];
  expect(rows.length).toBeGreaterThan(KILLS);
  expect(new Set(rows.map(({ vm, running }) => `${vm} ${running}`)).size).toBe(4);
  for (const [at, row] of rows.entries()) {
    const before = rows[at - 1];
    if (before?.vm === row.vm) expect(row.from_at).toBe(before.to_at);
  }
  const now = Date.now();
  const host = { bootId: 'boot', uptime: () => now };
  const ledger = new Ledger({ store, now: () => now, awake: () => 0, host, everyMillis: 3 });
  ledger.look(() => false);
  const all = store.db.all('SELECT * FROM usage') as Row[];
  const weight = all.reduce(
    (sum, { hourly_price, from_at, to_at }) => sum + BigInt(hourly_price) * BigInt(to_at - from_at),
    0n,
  );
  const open = store.db.all('SELECT * FROM usage_meters') as (Row & { seen_at: number })[];
  const unsettled = open.reduce(
    (sum, { hourly_price, from_at, seen_at }) =>
      sum + BigInt(hourly_price) * BigInt(seen_at - from_at),
    0n,
  );
  expect(ledger.usage('gr_a', {}).total).toBe(Number((weight + unsettled) / 3_600_000n));
  const charged = all.reduce((sum, { from_at, to_at }) => sum + to_at - from_at, 0);
  expect(charged).toBeLessThanOrEqual(2 * (now - begun));
}, 60_000);
