/** What is due for VMs whose time has come. Pure; all times are lease times. */
import type { VmPhase } from '../machine.ts';
import type { Hold, VmRecord } from '../records.ts';

export type Ending = 'ttl' | 'uncollected' | Hold['why'];

/**
 * - `hold`: its lease, or the time of all VMs here, is over: it is stopped if it runs, and its disk kept
 * - `destroy`: nothing of it is kept any longer
 * - `release`: what it was held for is over: it may run again, and is started if it was stopped for that
 */
export type Due =
  | { readonly vmId: string; readonly action: 'hold'; readonly hold: Hold }
  | { readonly vmId: string; readonly action: 'destroy'; readonly why: Ending }
  | { readonly vmId: string; readonly action: 'release'; readonly start: boolean };

export interface Plan {
  readonly due: readonly Due[];
  /** When to look again, if nothing changes before. */
  readonly next: number | undefined;
}

export type Leased = Pick<
  VmRecord,
  'id' | 'phase' | 'removing' | 'leaseUntil' | 'destroyAt' | 'collectBy' | 'hold'
>;

export interface Terms {
  /** When the provider stops all its VMs. */
  readonly drainAt: number | undefined;
  /** How long disks are kept, in milliseconds. */
  readonly leaseGrace: number;
  readonly drainGrace: number;
}

/** Nothing is stopped while something else is being done with it. */
const SETTLED: ReadonlySet<VmPhase> = new Set(['running', 'stopped', 'suspended', 'failed']);

export function isSettled({ phase }: Pick<VmRecord, 'phase'>): boolean {
  return SETTLED.has(phase);
}

/** @param vms those whose guests are known: of the others nothing is assumed */
export function plan(vms: readonly Leased[], now: number, terms: Terms): Plan {
  const due: Due[] = [];
  let next: number | undefined;
  const passed = (time: number | null | undefined) => {
    if (time === null || time === undefined) return false;
    if (time <= now) return true;
    next = Math.min(next ?? time, time);
    return false;
  };
  for (const vm of vms) {
    if (vm.removing) continue;
    const vmId = vm.id;
    const isFree = vm.hold !== null && isHoldOver(vm, vm.hold, now, terms);
    // A hold that is over destroys nothing, however long it takes until it can be released.
    const ends = isFree ? (['ttl', 'uncollected'] as const) : ENDS;
    const why = ends.find((ending) => passed(END[ending](vm)));
    if (why !== undefined) {
      due.push({ vmId, action: 'destroy', why: why === 'hold' ? heldFor(vm) : why });
      continue;
    }
    if (isFree) {
      // From either of them on it is held again.
      passed(terms.drainAt);
      passed(vm.leaseUntil);
      const start = vm.hold.ran && vm.phase === 'stopped';
      if (isSettled(vm)) due.push({ vmId, action: 'release', start });
      continue;
    }
    const over = vm.hold ? undefined : endOf(passed(terms.drainAt), passed(vm.leaseUntil));
    if (vm.hold && vm.phase === 'running') due.push({ vmId, action: 'hold', hold: vm.hold });
    else if (over && isSettled(vm)) {
      // Counted from now, not from the end of the lease: nobody loses a disk without notice.
      const until = now + (over === 'drain' ? terms.drainGrace : terms.leaseGrace);
      due.push({ vmId, action: 'hold', hold: { why: over, until, ran: vm.phase === 'running' } });
    }
  }
  return { due, next };
}

/** Its lease was renewed, or the drain cancelled, while nothing could be done with it. */
function isHoldOver({ leaseUntil }: Leased, hold: Hold, now: number, { drainAt }: Terms): boolean {
  if (hold.why === 'drain') return drainAt === undefined;
  const isDrained = drainAt !== undefined && drainAt <= now;
  return !isDrained && leaseUntil !== null && leaseUntil > now;
}

const ENDS = ['ttl', 'uncollected', 'hold'] as const;

const END = {
  ttl: ({ destroyAt }: Leased) => destroyAt,
  uncollected: ({ collectBy }: Leased) => collectBy,
  hold: ({ hold }: Leased) => hold?.until,
} as const;

function heldFor({ hold }: Leased): Ending {
  if (!hold) throw new TypeError('only a VM that is held has an end of its hold');
  return hold.why;
}

function endOf(drained: boolean, leaseOver: boolean): Hold['why'] | undefined {
  if (drained) return 'drain';
  return leaseOver ? 'lease' : undefined;
}
