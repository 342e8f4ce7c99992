/** `golem config get`: one value, for scripts. */
import type { LocalCommand } from '../command.ts';
import { settingsOf, type SettingOutput } from './list.ts';
import { settingOf } from './setting.ts';

export const get: LocalCommand<SettingOutput> = {
  name: 'get',
  isLocal: true,
  usage: 'SETTING',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem config get discovery'],

  async run({ home }, { args: [word = ''] }) {
    const { name } = settingOf(word);
    const found = settingsOf(home).find((setting) => setting.name === name);
    if (!found) throw new TypeError('every setting has a value');
    return found;
  },
  present: ({ value }) => ({ lines: [value], ids: [value], names: [value] }),
};
