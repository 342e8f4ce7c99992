import fc from 'fast-check';
import { GolemError } from '@vm-on-golem/shared/errors';
import { describe, expect, test } from 'vitest';
import {
  checkGrowthShare,
  checkServed,
  checkShare,
  serves,
  type Holding,
  type Policy,
  type Share,
} from './policy.ts';

const BOUNDLESS: Share = { vms: Infinity, cpus: Infinity, memoryMiB: Infinity };
const policyOf = (change: Partial<Policy> = {}): Policy => ({
  access: 'public',
  ...{ allow: new Set<string>(), deny: new Set<string>() },
  ...{ perRequestor: BOUNDLESS, strangers: BOUNDLESS },
  ...change,
});
const size = (cpus: number, memoryMiB: number) => ({ cpus, memoryMiB, storageGiB: 5 });
const codeOf = (work: () => void) => {
  try {
    work();
    return 'fine';
  } catch (error) {
    if (error instanceof GolemError) return `${error.code}: ${error.message}`;
    throw error;
  }
};

describe('who is served', () => {
  test.each([
    ['public', [], [], true],
    ['public', [], ['gr_a'], false],
    ['public', ['gr_a'], ['gr_a'], false],
    ['listed', [], [], false],
    ['listed', ['gr_a'], [], true],
    ['listed', ['gr_a'], ['gr_a'], false],
  ] as const)('%s, allow %j, deny %j: %s', (access, allow, deny, expected) => {
    const policy = policyOf({ access, allow: new Set(allow), deny: new Set(deny) });
    expect(serves(policy, 'gr_a')).toBe(expected);
    expect(codeOf(() => checkServed(policy, 'gr_a')).startsWith('forbidden')).toBe(!expected);
  });
});

describe('how much one may have', () => {
  const held: Holding[] = [
    { owner: 'gr_a', vms: 2, cpus: 4, memoryMiB: 2048 },
    { owner: 'gr_b', vms: 1, cpus: 2, memoryMiB: 1024 },
    { owner: 'gr_friend', vms: 5, cpus: 50, memoryMiB: 50_000 },
  ];
  const allow = new Set(['gr_friend']);

  test.each([
    [{ vms: 2 }, 'no_capacity: This provider lets one requestor have 2 VMs: 0 of them are left.'],
    [{ cpus: 5 }, 'no_capacity: This provider lets one requestor have 5 CPUs: 1 of them are left.'],
    [
      { memoryMiB: 1024 },
      'no_capacity: This provider lets one requestor have 1024 MiB of memory: 0 of them are left.',
    ],
    [{ vms: 3, cpus: 6, memoryMiB: 2560 }, 'fine'],
  ])('of each requestor: %j', (bound, expected) => {
    const policy = policyOf({ allow, perRequestor: { ...BOUNDLESS, ...bound } });
    expect(codeOf(() => checkShare(policy, 'gr_a', size(2, 512), held))).toBe(expected);
  });

  test('of all strangers together, whom friends are not among', () => {
    const policy = policyOf({ allow, strangers: { ...BOUNDLESS, cpus: 7 } });
    expect(codeOf(() => checkShare(policy, 'gr_c', size(2, 512), held))).toContain(
      'have 7 CPUs: 1 of them are left.',
    );
    expect(codeOf(() => checkShare(policy, 'gr_c', size(1, 512), held))).toBe('fine');
    expect(codeOf(() => checkShare(policy, 'gr_friend', size(9, 512), held))).toBe('fine');
  });

  test('says nothing to who only shrinks, or grows in what is not bounded', () => {
    const vm = { owner: 'gr_a', resources: size(2, 1024) };
    const policy = policyOf({ perRequestor: { vms: 1, cpus: 2, memoryMiB: 2048 } });
    const grown = (wanted: ReturnType<typeof size>, by = policy) =>
      codeOf(() => checkGrowthShare(by, vm, wanted, held));
    expect(grown(size(1, 512))).toBe('fine');
    expect(grown(size(3, 1024))).toContain('have 2 CPUs: 0 of them are left.');
    expect(grown(size(2, 1025))).toContain('MiB of memory');
    const denied = policyOf({ deny: new Set(['gr_a']) });
    expect(grown(size(1, 512), denied)).toBe('fine');
    expect(grown(size(2, 2048), denied)).toContain('forbidden');
    expect(grown({ ...size(2, 1024), storageGiB: 6 }, denied)).toContain('forbidden');
  });

  test('is never more than the bounds, in whatever order who asks', () => {
    const bound = fc.record({
      vms: fc.nat(6),
      cpus: fc.nat(20),
      memoryMiB: fc.nat(8).map((n) => n * 1024),
    });
    const wish = fc.record({
      owner: fc.constantFrom('gr_a', 'gr_b', 'gr_friend'),
      cpus: fc.integer({ min: 1, max: 8 }),
      memoryMiB: fc.integer({ min: 1, max: 4 }).map((n) => n * 512),
    });
    fc.assert(
      fc.property(bound, bound, fc.array(wish, { maxLength: 30 }), (each, strangers, wishes) => {
        const policy = policyOf({ allow, perRequestor: each, strangers });
        const given: Holding[] = [];
        const of = (who: (owner: string) => boolean, kind: keyof Share) =>
          given.filter(({ owner }) => who(owner)).reduce((sum, one) => sum + one[kind], 0);
        for (const { owner, cpus, memoryMiB } of wishes) {
          const before = given.length;
          const fits = (['vms', 'cpus', 'memoryMiB'] as const).every((kind) => {
            const more = { vms: 1, cpus, memoryMiB }[kind];
            const own = of((one) => one === owner, kind) + more <= each[kind];
            const all = of((one) => one !== 'gr_friend', kind) + more <= strangers[kind];
            return own && (owner === 'gr_friend' || all);
          });
          const said = codeOf(() => checkShare(policy, owner, size(cpus, memoryMiB), given));
          if (said === 'fine') given.push({ owner, vms: 1, cpus, memoryMiB });
          expect(given.length > before).toBe(fits);
        }
      }),
    );
  });
});
