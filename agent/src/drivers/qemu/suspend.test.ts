import { expect, test } from 'vitest';
import { adoption } from './suspend.ts';

test.each(['paused', 'prelaunch', 'restore-vm', 'save-vm', 'finish-migrate'])(
  'a guest that was left %s goes on, unless its memory is saved already',
  (status) => {
    expect(adoption(status, false)).toBe('go-on');
    expect(adoption(status, true)).toBe('end');
  },
);

test('a guest that runs makes a saved memory old', () => {
  expect(adoption('running', false)).toBe('keep');
  expect(adoption('running', true)).toBe('unmark');
});

test.each(['io-error', 'internal-error', 'guest-panicked', 'shutdown', 'inmigrate'])(
  'a guest that is %s is not let go on by this',
  (status) => {
    expect(adoption(status, false)).toBe('keep');
  },
);
