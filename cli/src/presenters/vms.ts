/** Views of VMs. */
import type { VmNotice, VmState } from '@vm-on-golem/shared/vm';
import { formatUsd } from '@vm-on-golem/shared/usd';
import { memory, perHour, perMonth, span } from './units.ts';
import { STATE_TONES, type View } from './view.ts';

export interface VmOutput {
  readonly id: string | null;
  readonly name: string;
  /** `unreachable`: its provider did not answer, and this is what was last known; `gone`: so it says. */
  readonly state: VmState | 'unreachable' | 'gone';
  readonly provider: string;
  readonly image: string | null;
  readonly cpus: number | null;
  readonly memoryMiB: number | null;
  readonly storageGiB: number | null;
  readonly hourlyPriceNanoUsd: number | null;
  readonly createdAt: string | null;
  /** ISO 8601. */
  readonly leaseUntil: string | null;
  readonly destroyAt: string | null;
  readonly notice: VmNotice | null;
  /** The owner, where somebody else is. */
  readonly sharedBy: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Its provider says that it is one's own, and nothing proves it: it goes by no name here. */
  readonly isUnknown: boolean;
  /** The account that the SSH key opens. */
  readonly user: string | null;
  /** OpenSSH line. */
  readonly hostKey: string | null;
  /** When its provider last signed this. ISO 8601. */
  readonly seenAt: string | null;
  /** Since when its provider is offline, where that is known. ISO 8601. */
  readonly offlineSince: string | null;
}

/** What there is to know about one VM. */
export interface VmDetails extends VmOutput {
  /** nano-USD up to now; null where the provider does not say. */
  readonly costNanoUsd?: number | null;
  /** Keys that may see it and go in. */
  readonly sharedWith?: readonly string[] | null;
}

/** @param now milliseconds since 1970 */
export function vmTable(vms: readonly VmOutput[], now = Date.now()): View {
  const anyLabel = vms.some(({ labels }) => Object.keys(labels).length > 0);
  const anyEnd = vms.some((vm) => endOf(vm) !== undefined);
  const known = vms.filter(({ isUnknown }) => !isUnknown);
  const anyShared = vms.some(({ sharedBy }) => sharedBy !== null);
  const anyUnreachable = vms.some(({ state }) => state === 'unreachable');
  return {
    table: {
      columns: [
        { title: 'NAME' },
        { title: 'STATE', fixed: true, tones: STATE_TONES },
        // When it was last known to be there.
        ...(anyUnreachable ? [{ title: 'SINCE', priority: 1, fixed: true }] : []),
        { title: 'IMAGE', priority: 3 },
        { title: 'CPU', right: true, priority: 2, fixed: true },
        { title: 'MEMORY', right: true, priority: 2, fixed: true },
        { title: 'DISK', right: true, priority: 2, fixed: true },
        { title: 'PRICE', right: true, fixed: true },
        { title: 'PROVIDER', priority: 4, fixed: true },
        { title: 'ID', priority: 1, fixed: true },
        ...(anyEnd ? [{ title: 'ENDS IN', right: true, priority: 1, fixed: true }] : []),
        // Never left out: what is somebody else's would look like one's own.
        ...(anyShared ? [{ title: 'SHARED BY', fixed: true }] : []),
        ...(anyLabel ? [{ title: 'LABELS', wide: true }] : []),
      ],
      rows: vms.map((vm) => [
        shownName(vm),
        vm.state,
        ...(anyUnreachable ? [sinceText(vm)] : []),
        vm.image ?? '-',
        String(vm.cpus ?? '-'),
        vm.memoryMiB === null ? '-' : memory(vm.memoryMiB),
        vm.storageGiB === null ? '-' : `${vm.storageGiB}G`,
        vm.hourlyPriceNanoUsd === null ? '-' : perHour(vm.hourlyPriceNanoUsd),
        vm.provider,
        vm.id ?? '-',
        ...(anyEnd ? [endText(vm, now)] : []),
        ...(anyShared ? [vm.sharedBy ?? '-'] : []),
        ...(anyLabel ? [labelsText(vm.labels)] : []),
      ]),
      empty: "You have no VMs. 'golem vm create' rents one.",
    },
    // Scripts act on what these say.
    ids: known.flatMap(({ id }) => id ?? []),
    names: known.map(({ name }) => name),
  };
}

/** @param now milliseconds since 1970 */
export function vmDetails(vm: VmDetails, now = Date.now()): View {
  const facts: [string, string][] = [
    ['name', vm.name],
    ['id', vm.id ?? '-'],
    ['state', stateText(vm)],
    ['provider', vm.provider],
    ['image', vm.image ?? '-'],
    ['cpus', String(vm.cpus ?? '-')],
    ['memory', vm.memoryMiB === null ? '-' : memory(vm.memoryMiB)],
    ['disk', vm.storageGiB === null ? '-' : `${vm.storageGiB}G`],
    [
      'price',
      vm.hourlyPriceNanoUsd === null
        ? '-'
        : `${perHour(vm.hourlyPriceNanoUsd)} (${perMonth(vm.hourlyPriceNanoUsd)})`,
    ],
    ...(vm.costNanoUsd == null ? [] : [fact('cost', `${formatUsd(vm.costNanoUsd)} so far`)]),
    ['created', vm.createdAt ?? '-'],
    ...Object.entries(vm.labels).map(([key, value]) => fact('label', `${key}=${value}`)),
    ...(vm.user === null ? [] : [fact('user', vm.user)]),
    ...(vm.hostKey === null ? [] : [fact('host key', vm.hostKey)]),
    ...(vm.sharedWith ?? []).map((key) => fact('shared to', key)),
    ...(vm.sharedBy === null ? [] : [fact('shared by', vm.sharedBy)]),
    ...(vm.leaseUntil === null ? [] : [fact('leased', `until ${until(vm.leaseUntil, now)}`)]),
    ...(vm.destroyAt === null ? [] : [fact('ends', until(vm.destroyAt, now))]),
    ...(vm.notice === null ? [] : [fact('notice', noticeText(vm.notice))]),
  ];
  return {
    facts,
    ids: vm.id === null ? [] : [vm.id],
    names: [vm.name],
  };
}

/** No name of a VM has a question mark: nothing can be done to it by this. */
function shownName({ name, isUnknown }: VmOutput): string {
  return isUnknown ? `${name}?` : name;
}

function fact(name: string, value: string): [string, string] {
  return [name, value];
}

/** Milliseconds since 1970 when its lease or its life ends, whichever is first. */
export function endOf({ leaseUntil, destroyAt }: VmOutput): number | undefined {
  const ends = [leaseUntil, destroyAt].filter((at) => at !== null).map((at) => Date.parse(at));
  return ends.length === 0 ? undefined : Math.min(...ends);
}

function endText(vm: VmOutput, now: number): string {
  const end = endOf(vm);
  if (end === undefined) return '-';
  return end > now ? span(end - now) : 'over';
}

function until(at: string, now: number): string {
  const left = Date.parse(at) - now;
  return left > 0 ? `${at} (in ${span(left)})` : at;
}

function labelsText(labels: VmOutput['labels']): string {
  const all = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return all.length === 0 ? '-' : all.join(',');
}

function sinceText({ state, offlineSince, seenAt }: VmOutput): string {
  return state === 'unreachable' ? (offlineSince ?? seenAt ?? '-') : '-';
}

/** With since when, and what was known before. */
function stateText({ state, offlineSince, seenAt }: VmOutput): string {
  if (state !== 'unreachable') return state;
  const since = offlineSince === null ? '' : ` since ${offlineSince}`;
  return `unreachable${since}${seenAt === null ? '' : `; last seen ${seenAt}`}`;
}

function noticeText({ kind, at, reason }: VmNotice): string {
  const said = reason === undefined ? '' : ` It says: ${reason}`;
  if (kind === 'drain') return `the provider stops all its VMs at ${at}.${said}`;
  if (kind === 'drained')
    return `the provider has stopped it, and keeps its disk until ${at}.${said}`;
  if (kind === 'unknown')
    return `the provider says something by ${at} that only a newer golem knows.${said}`;
  return `its lease has ended: its disk is kept until ${at}, 'golem vm renew' brings it back.`;
}
