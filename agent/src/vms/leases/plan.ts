/** What is due for VMs whose time has come. Pure; all times are lease times. */
import type { VmPhase } from '../machine.ts';
import type { Hold, VmRecord } from '../records.ts';

export type Ending = 'ttl' | 'uncollected' | Hold['why'];

/**
 * - `hold`: its lease, or the time of all VMs here, is over: it is stopped if it runs, and its disk kept
 * - `destroy`: nothing of it is kept any longer
 */
export type Due =
  | { readonly vmId: string; readonly action: 'hold'; readonly hold: Hold }
  | { readonly vmId: string; readonly action: 'destroy'; readonly why: Ending };

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
    const why = (['ttl', 'uncollected', 'hold'] as const).find((ending) => passed(END[ending](vm)));
    if (why !== undefined) {
      due.push({ vmId, action: 'destroy', why: why === 'hold' ? heldFor(vm) : why });
      continue;
    }
    const over = vm.hold ? undefined : endOf(passed(terms.drainAt), passed(vm.leaseUntil));
    if (vm.hold && vm.phase === 'running') due.push({ vmId, action: 'hold', hold: vm.hold });
    else if (over && SETTLED.has(vm.phase)) {
      // Counted from now, not from the end of the lease: nobody loses a disk without notice.
      const until = now + (over === 'drain' ? terms.drainGrace : terms.leaseGrace);
      due.push({ vmId, action: 'hold', hold: { why: over, until, ran: vm.phase === 'running' } });
    }
  }
  return { due, next };
}

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
