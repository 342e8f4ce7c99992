/** The books as the owner of VMs reads them. */
import type { usageQuerySchema, UsagePage } from '@vm-on-golem/shared/vm-records';
import { base64UrlDecode, base64UrlEncode, utf8 } from '@vm-on-golem/shared/encoding';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { z } from 'zod';
import { pending } from './meter.ts';
import { Sum } from './money.ts';
import type { BookedInterval, UsageTable } from './table.ts';

export type UsageQuery = z.infer<typeof usageQuerySchema>;

/** Of a VM that was never theirs there are no records. */
export function readUsage(
  table: UsageTable,
  owner: string,
  { vm, cursor }: UsageQuery,
  now: number,
): UsagePage {
  const count = LIMITS.vm.pageRecords;
  const found = table.page({ owner, vmId: vm }, readCursor(cursor), count + 1);
  const records = found.slice(0, count);
  const last = records.at(-1);
  const total = new Sum();
  for (const { hourlyPrice, millis } of table.sums(owner, vm)) total.add(hourlyPrice, millis);
  for (const meter of table.metersOf(owner)) {
    const open = vm === undefined || vm === meter.id ? pending(meter, now) : undefined;
    if (open) total.add(open.tariff.hourlyPrice, open.to - open.from);
  }
  return {
    records: records.map(shown),
    next: last && found.length > count ? cursorOf(last) : null,
    total: total.nanoUsd,
  };
}

function shown({
  id,
  name,
  owner,
  from,
  to,
  tariff,
}: BookedInterval): UsagePage['records'][number] {
  return {
    vmId: id,
    name,
    owner,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    ...tariff,
    amount: new Sum().add(tariff.hourlyPrice, to - from).nanoUsd,
  };
}

function cursorOf({ vm, from }: BookedInterval): string {
  return base64UrlEncode(utf8(`${vm}.${from}`));
}

/** @throws {GolemError} `invalid_request` */
function readCursor(cursor: string | undefined): { vm: number; from: number } {
  if (cursor === undefined) return { vm: 0, from: 0 };
  const text = new TextDecoder().decode(base64UrlDecode(cursor) ?? new Uint8Array());
  const [, vm, from] = /^(\d{1,15})\.(\d{1,15})$/.exec(text) ?? [];
  if (vm === undefined || from === undefined) {
    throw new GolemError('invalid_request', 'The cursor is not one that this provider gave.');
  }
  return { vm: Number(vm), from: Number(from) };
}
