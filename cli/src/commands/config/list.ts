/** `golem config list`: all settings, and who says so. */
import { SETTINGS, type Origin } from '../../state/settings.ts';
import type { Home } from '../../state/home.ts';
import type { LocalCommand } from '../command.ts';

export interface SettingOutput {
  readonly name: string;
  readonly value: string;
  readonly from: Origin;
  /** The variable, or the file. */
  readonly source: string | null;
  readonly summary: string;
}

export const list: LocalCommand<SettingOutput[]> = {
  name: 'list',
  isLocal: true,
  repairs: true,
  usage: '',
  args: { min: 0, max: 0 },
  options: [],
  examples: ['golem config list', 'golem config list -o json'],
  about: [
    'A variable of the environment goes before what is in the file, and that before what golem takes by itself. A context that is named by --context goes before GOLEM_DISCOVERY.',
  ],

  async run({ home, note }) {
    if (home.problem) note(`golem: ${home.problem.message} ${home.problem.hint ?? ''}`);
    return settingsOf(home);
  },
  present: (settings) => ({
    table: {
      columns: [
        { title: 'SETTING', fixed: true },
        { title: 'VALUE' },
        { title: 'FROM', fixed: true },
        { title: 'SOURCE', priority: 2 },
        { title: 'WHAT IT IS', fixed: true, priority: 1 },
      ],
      rows: settings.map(({ name, value, from, source, summary }) => [
        ...[name, value, from, source ?? '-', summary],
      ]),
      empty: '',
    },
    names: settings.map(({ name }) => name),
  }),
};

export function settingsOf(home: Home): SettingOutput[] {
  return SETTINGS.map((setting) => {
    const { value, origin } = home.valueOf(setting);
    const source =
      origin === 'environment' ? setting.variable : origin === 'default' ? null : home.paths.config;
    return { name: setting.name, value, from: origin, source, summary: setting.summary };
  });
}
