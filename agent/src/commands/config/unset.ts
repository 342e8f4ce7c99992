/** `golem-provider config unset NAME`: what holds without the setting holds again. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { settingOf } from '../../config/settings.ts';
import { changedLines, changeSettings } from '../changing.ts';
import { command } from '../command.ts';
import { settingNamed } from './named.ts';

export const unset = command({
  usage: 'NAME',
  args: { min: 1, max: 1 },
  examples: ['golem-provider config unset month-traffic', 'golem-provider config unset cpus'],
  settings: ['data-dir'],
  options: [],
  run: async (input, around) => {
    const name = settingNamed(input.args[0] ?? '');
    if (settingOf(name).required) {
      throw new GolemError('usage', `Nothing works without ${name}.`, {
        hint: `Set another one with golem-provider config set ${name} ${settingOf(name).value}.`,
      });
    }
    return changeSettings([[name, undefined]], input, around);
  },
  present: changedLines,
});
