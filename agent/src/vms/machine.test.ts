import { array, assert, constantFrom, property } from 'fast-check';
import { expect, test } from 'vitest';
import { transition, VM_PHASES, type VmEvent, type VmPhase } from './machine.ts';

const EVENTS: VmEvent[] = [
  ...(['start', 'stop', 'restart', 'suspend', 'change', 'destroy', 'boot'] as const),
  ...(['up', 'down', 'saved', 'lost', 'leftover', 'gone'] as const),
];

test('only what was to be removed is ever gone', () => {
  const goners = VM_PHASES.filter((phase) => transition(phase, 'gone') === 'gone');
  expect(goners.sort()).toEqual(['creating', 'destroying', 'failed']);
  for (const phase of VM_PHASES) {
    for (const event of EVENTS) {
      if (event !== 'gone') expect(transition(phase, event)).not.toBe('gone');
    }
  }
});

test('what is being destroyed comes never back', () => {
  expect(EVENTS.filter((event) => transition('destroying', event))).toEqual(['leftover', 'gone']);
});

test('the owner can destroy a VM in every state but while it is being destroyed', () => {
  const refused = VM_PHASES.filter((phase) => transition(phase, 'destroy') === undefined);
  expect(refused).toEqual(['destroying']);
});

test('from every state that can be reached there is a way to the end', () => {
  assert(
    property(array(constantFrom(...EVENTS), { maxLength: 40 }), (events) => {
      let phase: VmPhase | 'gone' = 'creating';
      for (const event of events) {
        if (phase === 'gone') return;
        phase = transition(phase, event) ?? phase;
      }
      if (phase === 'gone') return;
      const doomed = transition(phase, 'destroy') ?? phase;
      expect(doomed).toBe('destroying');
      expect(doomed !== 'gone' && transition(doomed, 'gone')).toBe('gone');
    }),
  );
});
