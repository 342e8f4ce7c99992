import type { OperationKind } from '@vm-on-golem/shared/api';
import { describe, expect, test } from 'vitest';
import type { GuestState } from '../drivers/driver.ts';
import { nextStep } from './recovery.ts';

const KINDS: (OperationKind | undefined)[] = ['create', 'start', 'stop', 'destroy', undefined];
const GUESTS: GuestState[] = ['running', 'stopped', 'absent'];

describe('what follows after a kill', () => {
  test('nothing, as long as the hypervisor cannot say', () => {
    for (const kind of KINDS) {
      for (const removing of [true, false]) {
        expect(nextStep({ removing }, kind, 'unknown')).toBe('wait');
      }
    }
  });

  test.each([
    ['create', ['finish-create', 'roll-back', 'roll-back']],
    ['start', ['start', 'start', 'lose']],
    ['stop', ['stop', 'stop', 'lose']],
    ['destroy', ['destroy', 'destroy', 'destroy']],
    [undefined, ['up', 'down', 'lost']],
  ] as const)('%s: running, stopped, absent', (kind, steps) => {
    expect(GUESTS.map((guest) => nextStep({ removing: false }, kind, guest))).toEqual(steps);
  });

  test('a removal that was decided is finished', () => {
    for (const guest of GUESTS) {
      expect(nextStep({ removing: true }, 'create', guest)).toBe('roll-back');
      expect(nextStep({ removing: true }, undefined, guest)).toBe('clean-up');
    }
  });

  test('without a decision of its owner nothing that runs is ever removed', () => {
    const steps = KINDS.filter((kind) => kind !== 'destroy').map((kind) =>
      nextStep({ removing: false }, kind, 'running'),
    );
    expect(steps).not.toContain('destroy');
    expect(steps).not.toContain('roll-back');
    expect(steps).not.toContain('clean-up');
  });
});
