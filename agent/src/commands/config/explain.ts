/** `golem-provider config explain [NAME]`: what a setting is, and who said so. */
import { describeSetting } from '../../config/setting.ts';
import { settingOf, type SettingName } from '../../config/settings.ts';
import type { ConfigView } from '../../control/schemas.ts';
import { table } from '../../presenters/table.ts';
import { currentConfig } from '../changing.ts';
import { command } from '../command.ts';
import { settingNamed } from './named.ts';

export const explain = command({
  usage: '[NAME]',
  args: { min: 0, max: 1 },
  examples: ['golem-provider config explain', 'golem-provider config explain price-cpu'],
  settings: ['data-dir'],
  options: [],
  run: async (input, around) => {
    const [name] = input.args;
    const wanted = name === undefined ? undefined : settingNamed(name);
    const config = await currentConfig(input, around);
    const settings = config.settings.filter(
      (setting) => wanted === undefined || setting.name === wanted,
    );
    return { ...config, settings };
  },
  present: ({ settings }) => {
    const [only] = settings;
    return settings.length === 1 && only ? explainOne(only) : explainAll(settings);
  },
});

type Settings = ConfigView['settings'];

function explainOne(setting: Settings[number]): string[] {
  const { name, value, origin, overrides, live, waiting } = setting;
  return [
    `${name}: ${describeSetting(settingOf(name as SettingName))}`,
    `is ${shown(value)}, from ${origin}`,
    ...overrides.map((other) => `overrides ${shown(other.value)} from ${other.origin}`),
    live ? 'A running agent takes a new value over.' : 'A new value counts from the next start on.',
    ...(waiting
      ? ['It was changed since the agent was started, and waits for the next start.']
      : []),
  ];
}

function explainAll(settings: Settings): string[] {
  return table(
    ['SETTING', 'VALUE', 'FROM', 'OVERRIDES'],
    settings.map(({ name, value, origin, overrides, waiting }) => [
      name,
      shown(value),
      waiting ? `${origin} (from the next start on)` : origin,
      overrides
        .filter(({ origin }) => origin !== 'default')
        .map((other) => `${shown(other.value)} (${other.origin})`)
        .join(', '),
    ]),
  );
}

function shown(value: string | readonly string[] | null): string {
  return value === null || value.length === 0 ? '-' : String(value);
}
