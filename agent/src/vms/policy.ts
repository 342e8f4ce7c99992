/** Whom this provider serves, and how much of it one may have. Pure. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Resources } from '@vm-on-golem/shared/vm';

/** How much may be held at once; `Infinity` where there is no bound. */
export interface Share {
  readonly vms: number;
  readonly cpus: number;
  readonly memoryMiB: number;
}

export interface Policy {
  /** Whether everybody is served that is not denied, or only those who are on the list. */
  readonly access: 'public' | 'listed';
  /** `gr_...` of requestors that the operator knows. All others are strangers. */
  readonly allow: ReadonlySet<string>;
  /** Stronger than `allow`. */
  readonly deny: ReadonlySet<string>;
  /** Of each requestor. */
  readonly perRequestor: Share;
  /** Of all strangers together. */
  readonly strangers: Share;
}

/** What one requestor has of this provider: VMs that do not run included, they keep their share. */
export interface Holding extends Share {
  /** `gr_...`. */
  readonly owner: string;
}

/** Whether a requestor gets anything new here. What they already have stays theirs in any case. */
export function serves({ access, allow, deny }: Policy, requestor: string): boolean {
  return !deny.has(requestor) && (access === 'public' || allow.has(requestor));
}

/** @throws {GolemError} `forbidden` */
export function checkServed(policy: Policy, requestor: string): void {
  if (serves(policy, requestor)) return;
  if (policy.deny.has(requestor)) {
    throw new GolemError('forbidden', 'This provider does not serve that key.');
  }
  throw new GolemError(
    'forbidden',
    'This provider serves only keys that its operator has listed.',
    {
      hint: 'Take another provider, or ask the operator.',
    },
  );
}

/**
 * @param wanted what is to be held on top of `holdings`
 * @throws {GolemError} `no_capacity` naming the bound and what of it is left
 */
export function checkShare(
  policy: Policy,
  requestor: string,
  wanted: Resources,
  holdings: readonly Holding[],
): void {
  const { cpus, memoryMiB } = wanted;
  checkMore(policy, requestor, { vms: 1, cpus, memoryMiB }, holdings);
}

function checkMore(
  policy: Policy,
  requestor: string,
  more: Share,
  holdings: readonly Holding[],
): void {
  const held = sum(holdings.filter(({ owner }) => owner === requestor));
  check(policy.perRequestor, held, more, 'one requestor');
  if (policy.allow.has(requestor)) return;
  const strangers = sum(holdings.filter(({ owner }) => !policy.allow.has(owner)));
  check(policy.strangers, strangers, more, STRANGERS);
}

/**
 * For a VM that is given another size.
 * @throws {GolemError} `forbidden` or `no_capacity` when it is to be larger in anything that is bounded
 */
export function checkGrowthShare(
  policy: Policy,
  vm: { readonly owner: string; readonly resources: Resources },
  wanted: Resources,
  holdings: readonly Holding[],
): void {
  const more = {
    vms: 0,
    cpus: Math.max(0, wanted.cpus - vm.resources.cpus),
    memoryMiB: Math.max(0, wanted.memoryMiB - vm.resources.memoryMiB),
  };
  const grows = more.cpus > 0 || more.memoryMiB > 0;
  if (!grows && wanted.storageGiB <= vm.resources.storageGiB) return;
  checkServed(policy, vm.owner);
  checkMore(policy, vm.owner, more, holdings);
}

/**
 * For all that `from` has here becoming `to`'s. It takes no more room, and is no way around a bound or a list.
 * @throws {GolemError} `forbidden` or `no_capacity`
 */
export function checkSuccession(
  policy: Policy,
  from: string,
  to: string,
  holdings: readonly Holding[],
): void {
  // Whoever is denied may keep what they have, and not go on with it as somebody else.
  for (const requestor of [from, to]) checkServed(policy, requestor);
  const moved = sum(holdings.filter(({ owner }) => owner === from));
  const held = sum(holdings.filter(({ owner }) => owner === to));
  if (held.vms > 0) check(policy.perRequestor, held, moved, 'one requestor');
  if (policy.allow.has(to) || !policy.allow.has(from)) return;
  const strangers = sum(holdings.filter(({ owner }) => !policy.allow.has(owner)));
  check(policy.strangers, strangers, moved, STRANGERS);
}

const STRANGERS = 'all requestors together that its operator does not know';

const KINDS = [
  ['vms', 'VMs'],
  ['cpus', 'CPUs'],
  ['memoryMiB', 'MiB of memory'],
] as const;

function check(bound: Share, held: Share, more: Share, whom: string): void {
  for (const [kind, what] of KINDS) {
    // A bound that was lowered below what is held takes nothing away.
    if (more[kind] === 0 || held[kind] + more[kind] <= bound[kind]) continue;
    const left = Math.max(0, bound[kind] - held[kind]);
    throw new GolemError(
      'no_capacity',
      `This provider lets ${whom} have ${bound[kind]} ${what}: ${left} of them are left.`,
      { hint: 'Take a smaller size or another provider, or destroy what is not needed.' },
    );
  }
}

function sum(holdings: readonly Holding[]): Share {
  const of = (kind: keyof Share) => holdings.reduce((total, holding) => total + holding[kind], 0);
  return { vms: of('vms'), cpus: of('cpus'), memoryMiB: of('memoryMiB') };
}
