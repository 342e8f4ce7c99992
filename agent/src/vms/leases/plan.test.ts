import {
  array,
  assert,
  boolean,
  constantFrom,
  integer,
  option,
  property,
  record,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VM_PHASES } from '../machine.ts';
import { plan, type Leased, type Terms } from './plan.ts';

const time = option(integer({ min: 0, max: 100 }));
const hold = option(
  record({
    why: constantFrom('lease' as const, 'drain' as const),
    until: integer({ min: 0, max: 100 }),
    ran: boolean(),
  }),
);
const vms = array(
  record({
    id: constantFrom('vm_a', 'vm_b', 'vm_c'),
    phase: constantFrom(...VM_PHASES),
    removing: boolean(),
    leaseUntil: time,
    destroyAt: time,
    collectBy: time,
    hold,
  }),
);
const terms = record({
  drainAt: option(integer({ min: 0, max: 100 }), { nil: undefined }),
  leaseGrace: integer({ min: 1, max: 50 }),
  drainGrace: integer({ min: 1, max: 50 }),
});
const TERMS: Terms = { drainAt: undefined, leaseGrace: 24, drainGrace: 168 };
const vmOf = (change: Partial<Leased> = {}): Leased => ({
  id: 'vm_a',
  phase: 'running',
  removing: false,
  leaseUntil: 100,
  destroyAt: null,
  collectBy: null,
  hold: null,
  ...change,
});

describe('what is due', () => {
  test('nothing before its time, and then to the millisecond', () => {
    expect(plan([vmOf()], 99, TERMS)).toEqual({ due: [], next: 100 });
    expect(plan([vmOf()], 100, TERMS)).toEqual({
      due: [{ vmId: 'vm_a', action: 'hold', hold: { why: 'lease', until: 124, ran: true } }],
      next: undefined,
    });
  });

  test('a disk is kept from when its VM is stopped, however late that is', () => {
    const [due] = plan([vmOf()], 5000, TERMS).due;
    expect(due).toMatchObject({ action: 'hold', hold: { until: 5024 } });
  });

  test('at the deadline of a drain all are stopped, and kept for longer', () => {
    const { due } = plan([vmOf(), vmOf({ id: 'vm_b', phase: 'stopped' })], 50, {
      ...TERMS,
      drainAt: 50,
    });
    expect(due).toEqual([
      { vmId: 'vm_a', action: 'hold', hold: { why: 'drain', until: 218, ran: true } },
      { vmId: 'vm_b', action: 'hold', hold: { why: 'drain', until: 218, ran: false } },
    ]);
  });

  test.each([
    ['ttl', { destroyAt: 10 }],
    ['uncollected', { collectBy: 10 }],
    ['lease', { phase: 'stopped', leaseUntil: 5, hold: { why: 'lease', until: 10, ran: true } }],
    ['drain', { phase: 'stopped', hold: { why: 'drain', until: 10, ran: true } }],
  ] as const)('%s destroys', (why, change) => {
    const terms = why === 'drain' ? { ...TERMS, drainAt: 5 } : TERMS;
    expect(plan([vmOf(change)], 9, terms)).toMatchObject({ due: [], next: 10 });
    expect(plan([vmOf(change)], 10, terms).due).toEqual([{ vmId: 'vm_a', action: 'destroy', why }]);
  });

  test('nothing is destroyed that was not held for its whole grace, aged out, or never asked for', () => {
    assert(
      property(vms, terms, integer({ min: 0, max: 200 }), (vms, terms, now) => {
        const { due } = plan(vms, now, terms);
        for (const one of due) {
          if (one.action !== 'destroy') continue;
          const isDue = vms.some(
            ({ id, destroyAt, collectBy, hold, removing }) =>
              id === one.vmId &&
              !removing &&
              [destroyAt, collectBy, hold?.until].some(
                (end) => typeof end === 'number' && end <= now,
              ),
          );
          expect(isDue).toBe(true);
        }
      }),
    );
  });

  test('however far time has jumped, one look destroys no VM that was not held before', () => {
    assert(
      property(vms, terms, integer({ min: 0, max: 1_000_000 }), (vms, terms, now) => {
        const safe = vms.map((vm) => ({ ...vm, destroyAt: null, collectBy: null, hold: null }));
        const { due } = plan(safe, now, terms);
        expect(due.filter(({ action }) => action === 'destroy')).toEqual([]);
        for (const one of due) {
          if (one.action === 'hold') expect(one.hold.until).toBeGreaterThan(now);
        }
      }),
    );
  });

  test('between a look and the next one nothing becomes due', () => {
    assert(
      property(vms, terms, integer({ min: 0, max: 100 }), (vms, terms, now) => {
        const { due, next } = plan(vms, now, terms);
        const until = next ?? 100;
        expect(until).toBeGreaterThan(next === undefined ? -1 : now);
        const keyOf = (list: typeof due) => list.map(({ vmId, action }) => `${vmId} ${action}`);
        for (let at = now; at < until; at += 1) {
          expect(keyOf(plan(vms, at, terms).due)).toEqual(keyOf(due));
        }
      }),
    );
  });

  test('what is being removed, or is in the middle of something, is left alone', () => {
    expect(plan([vmOf({ removing: true, destroyAt: 1 })], 500, TERMS).due).toEqual([]);
    for (const phase of ['creating', 'starting', 'stopping', 'suspending', 'changing'] as const) {
      expect(plan([vmOf({ phase })], 500, TERMS).due).toEqual([]);
    }
  });

  test.each([
    ['a renewed lease', { hold: { why: 'lease', until: 10, ran: true } }],
    ['a cancelled drain', { hold: { why: 'drain', until: 10, ran: true } }],
  ] as const)(
    'what %s frees is released once it has settled, and destroyed never',
    (_by, change) => {
      const due = (phase: Leased['phase'], ran = true) =>
        plan([vmOf({ phase, hold: { ...change.hold, ran } })], 50, TERMS).due;
      expect(due('stopping')).toEqual([]);
      expect(due('stopped')).toEqual([{ vmId: 'vm_a', action: 'release', start: true }]);
      expect(due('stopped', false)).toEqual([{ vmId: 'vm_a', action: 'release', start: false }]);
      expect(due('running')).toEqual([{ vmId: 'vm_a', action: 'release', start: false }]);
      expect(plan([vmOf({ phase: 'stopping', ...change })], 50, TERMS).next).toBe(100);
    },
  );

  test('a renewed lease frees nothing that a drain is over for', () => {
    const hold = { why: 'lease', until: 200, ran: true } as const;
    const vm = vmOf({ phase: 'stopped', hold });
    expect(plan([vm], 50, { ...TERMS, drainAt: 51 }).due).toMatchObject([{ action: 'release' }]);
    expect(plan([vm], 50, { ...TERMS, drainAt: 50 }).due).toEqual([]);
  });

  test('one that is held and runs nevertheless is stopped again, for the same hold', () => {
    const held = { why: 'lease', until: 600, ran: true } as const;
    expect(plan([vmOf({ leaseUntil: 400, hold: held })], 500, TERMS).due).toEqual([
      { vmId: 'vm_a', action: 'hold', hold: held },
    ]);
  });
});
