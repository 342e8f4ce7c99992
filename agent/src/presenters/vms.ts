/** VMs and orphans as tables. Pure. */
import type { OperatorVms, OrphanViews } from '../control/schemas.ts';
import { table } from './table.ts';
import { duration, localTime, memory, usd } from './units.ts';

export function vmLines(vms: OperatorVms, now: number, width?: number): string[] {
  if (vms.length === 0) return ['There are no VMs.'];
  return table(
    ['NAME', 'STATE', 'CPU', 'MEMORY', 'DISK', 'AN HOUR', 'AGE', 'LEASE', 'OWNER', 'ID'],
    vms.map(({ id, name, owner, state, resources, hourlyPrice, ageSeconds, leaseUntil }) => [
      ...[name, state, `${resources.cpus}`, memory(resources.memoryMiB)],
      ...[`${resources.storageGiB} GiB`, usd(hourlyPrice), duration(ageSeconds * 1000)],
      leaseUntil === undefined ? '-' : leaseText(Date.parse(leaseUntil) - now),
      ...[owner, id],
    ]),
    width,
  );
}

export function orphanLines(orphans: OrphanViews, now: number): string[] {
  if (orphans.length === 0) return ['There are no guests without a VM.'];
  return [
    ...table(
      ['GUEST', 'STATE', 'SEEN FOR', 'REMOVED AT'],
      orphans.map(({ vmId, state, firstSeen, removedAt }) => [
        ...[vmId, state, duration(now - Date.parse(firstSeen))],
        removedAt === null ? 'never by itself' : localTime(Date.parse(removedAt)),
      ]),
    ),
    '',
    "'golem-provider orphans remove GUEST' removes one, and what is on its disk.",
  ];
}

function leaseText(millis: number): string {
  return millis > 0 ? duration(millis) : 'over';
}
