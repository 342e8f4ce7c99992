/** `golem-provider drain`: before maintenance, stops all VMs at a time that their owners are told. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { modeLines } from '../presenters/mode.ts';
import { command } from './command.ts';
import { runningAgent } from './running.ts';
import { parseWhen } from './when.ts';

export const drain = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider drain --by 18:00 --reason "new disks"',
    'golem-provider drain --by 2h',
    'golem-provider resume',
  ],
  settings: ['data-dir'],
  options: [
    { name: 'by', value: 'TIME', help: '18:00, 2h, 1d12h or 2026-11-25T18:00' },
    { name: 'reason', value: 'TEXT', help: 'what the owners of VMs read' },
  ],
  run: async (input, around) => {
    const { by, reason } = input.options;
    if (typeof by !== 'string') {
      throw new GolemError('usage', 'By when?', { hint: 'Give --by TIME, such as --by 18:00.' });
    }
    const when = parseWhen(by, Date.now());
    return runningAgent(input, around).drain({
      by: new Date(when).toISOString(),
      ...(typeof reason === 'string' ? { reason } : {}),
    });
  },
  present: (mode) => modeLines(mode, Date.now()),
});
