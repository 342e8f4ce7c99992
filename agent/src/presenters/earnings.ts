/** What was earned, as a table. Pure. */
import type { EarningsQuestion, EarningsView } from '../control/schemas.ts';
import { table } from './table.ts';
import { duration, usd } from './units.ts';

export function earningsLines(by: EarningsQuestion['by'], { rows, total }: EarningsView): string[] {
  if (rows.length === 0) return ['Nothing was earned in this time.'];
  const head = { vm: ['NAME', 'OWNER', 'VM'], day: ['DAY (UTC)'], month: ['MONTH (UTC)'] }[by];
  const named = rows.map(({ key, vm }) =>
    by === 'vm' ? [vm?.name ?? '-', vm?.owner ?? '-', key] : [key],
  );
  return [
    ...table(
      [...head, 'RUNNING', 'DISK ONLY', 'EARNED'],
      rows.map(({ runningMillis, storedMillis, nanoUsd }, at) => [
        ...(named[at] ?? []),
        ...[duration(runningMillis), duration(storedMillis), usd(nanoUsd)],
      ]),
    ),
    '',
    `${usd(total)} in all`,
  ];
}
