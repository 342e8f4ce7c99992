/** `golem-provider evict`: puts an end to somebody's VM, for a reason that its owner can read. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { command } from './command.ts';
import { runningAgent } from './running.ts';
import { sure, YES } from './sure.ts';

export const evict = command({
  usage: 'VM',
  args: { min: 1, max: 1 },
  examples: [
    'golem-provider evict vm_abcdefghijklmnopqrst --reason "sends spam"',
    'golem-provider evict web --reason "the disk is failing" --yes',
  ],
  settings: ['data-dir'],
  options: [{ name: 'reason', value: 'TEXT', help: 'what its owner reads' }, YES],
  run: async (input, around) => {
    const [ref = ''] = input.args;
    const { reason } = input.options;
    if (typeof reason !== 'string') {
      throw new GolemError('usage', 'Why? The owner of the VM is told.', {
        hint: 'Give --reason TEXT.',
      });
    }
    await sure(input, around, `Destroy ${ref} and its disk, for good?`);
    return { vm: ref, ...(await runningAgent(input, around).evict(ref, reason)) };
  },
  present: ({ vm }) => [`${vm} is being destroyed. Its owner can read why for a week.`],
});
