import { operationKindSchema } from '@vm-on-golem/shared/api';
import { describe, expect, test } from 'vitest';
import type { GuestState } from '../drivers/driver.ts';
import { VM_PHASES, type VmPhase } from './machine.ts';
import { nextStep } from './recovery.ts';

const KINDS = [...operationKindSchema.options, undefined];
const GUESTS: GuestState[] = ['running', 'stopped', 'suspended', 'absent'];
const BOOT = 'this-boot';
const vmOf = (removing: boolean, phase: VmPhase = 'running', boot: string | null = BOOT) => ({
  ...{ removing, phase, boot },
});

describe('what follows after a kill', () => {
  test('nothing, as long as the hypervisor cannot say', () => {
    for (const kind of KINDS) {
      for (const removing of [true, false]) {
        expect(nextStep(vmOf(removing), kind, 'unknown', BOOT)).toBe('wait');
      }
    }
  });

  test.each([
    ['create', ['go-on', 'roll-back', 'roll-back', 'roll-back']],
    ['destroy', ['go-on', 'go-on', 'go-on', 'go-on']],
    [undefined, ['up', 'down', 'saved', 'lost']],
    ...operationKindSchema.options
      .filter((kind) => kind !== 'create' && kind !== 'destroy')
      .map((kind) => [kind, ['go-on', 'go-on', 'go-on', 'lose']] as const),
  ] as const)('%s: running, stopped, suspended, absent', (kind, steps) => {
    const following = GUESTS.map((guest) => nextStep(vmOf(false), kind, guest, BOOT));
    expect(following).toEqual(steps);
  });

  test('a removal that was decided is finished', () => {
    for (const guest of GUESTS) {
      expect(nextStep(vmOf(true), 'create', guest, BOOT)).toBe('roll-back');
      expect(nextStep(vmOf(true), undefined, guest, BOOT)).toBe('clean-up');
    }
  });

  test('without a decision nothing that is there is ever removed', () => {
    const kinds = KINDS.filter((kind) => kind !== 'destroy' && kind !== 'create');
    const steps = kinds.flatMap((kind) =>
      GUESTS.flatMap((guest) =>
        VM_PHASES.map((phase) => nextStep(vmOf(false, phase), kind, guest, BOOT)),
      ),
    );
    expect(steps).not.toContain('roll-back');
    expect(steps).not.toContain('clean-up');
  });
});

describe('what follows after a restart of the host', () => {
  test('a VM that ran is started again; what its owner shut down stays down', () => {
    expect(nextStep(vmOf(false, 'running', 'other'), undefined, 'stopped', BOOT)).toBe('boot');
    expect(nextStep(vmOf(false, 'running'), undefined, 'stopped', BOOT)).toBe('down');
  });

  test('nothing else is started', () => {
    for (const phase of VM_PHASES) {
      if (phase === 'running') continue;
      expect(nextStep(vmOf(false, phase, 'other'), undefined, 'stopped', BOOT)).toBe('down');
    }
    for (const guest of ['running', 'suspended', 'absent'] as const) {
      expect(nextStep(vmOf(false, 'running', 'other'), undefined, guest, BOOT)).not.toBe('boot');
    }
  });
});
