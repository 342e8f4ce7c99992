/** `golem doctor`: everything that golem needs, looked at one by one, with what helps. */
import { EXIT } from '@vm-on-golem/shared/errors';
import { checkupTable } from '../presenters/doctor.ts';
import type { LocalCommand } from './command.ts';
import type { CheckOutput } from './doctor/check.ts';
import { BELONGINGS_CHECKS } from './doctor/belongings.ts';
import { MACHINE_CHECKS } from './doctor/machine.ts';
import { NETWORK_CHECKS } from './doctor/network.ts';

export const doctor: LocalCommand<CheckOutput[]> = {
  name: 'doctor',
  isLocal: true,
  repairs: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [{ name: 'offline', summary: 'only what is on this machine' }],
  examples: ['golem doctor', 'golem doctor -o json'],
  about: ['It changes nothing. It ends with 1 when something keeps golem from working.'],

  async run(context, { options }) {
    const here = [...MACHINE_CHECKS, ...BELONGINGS_CHECKS];
    const checks = options['offline'] ? here : [...here, ...NETWORK_CHECKS];
    return Promise.all(
      checks.map(async ({ name, run }) => {
        const { level, what, fix = null } = await run(context);
        return { name, level, what, fix };
      }),
    );
  },
  present: checkupTable,
  exitCode: (checks) => (checks.some(({ level }) => level === 'failure') ? EXIT.failure : EXIT.ok),
};
