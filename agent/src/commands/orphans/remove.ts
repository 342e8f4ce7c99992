/** `golem-provider orphans remove`: one of them, and what is on its disk. */
import { command } from '../command.ts';
import { runningAgent } from '../running.ts';
import { sure, YES } from '../sure.ts';

export const remove = command({
  usage: 'GUEST',
  args: { min: 1, max: 1 },
  examples: ['golem-provider orphans remove vm_abcdefghijklmnopqrst'],
  settings: ['data-dir'],
  options: [YES],
  run: async (input, around) => {
    const [guest = ''] = input.args;
    await sure(input, around, `Remove ${guest} and its disk, for good?`);
    return { removed: guest, ...(await runningAgent(input, around).removeOrphan(guest)) };
  },
  present: ({ removed }) => [`${removed} is removed.`],
});
