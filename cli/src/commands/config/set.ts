/** `golem config set` and `golem config unset`: what is in the file. */
import { changeConfig, type Config } from '../../state/config.ts';
import { openHome } from '../../state/home.ts';
import type { Setting } from '../../state/settings.ts';
import type { LocalCommand, LocalContext } from '../command.ts';
import { settingsOf, type SettingOutput } from './list.ts';
import { checkValue, settingOf } from './setting.ts';

export const set: LocalCommand<SettingOutput> = {
  name: 'set',
  isLocal: true,
  usage: 'SETTING VALUE',
  args: { min: 2, max: 2 },
  options: [],
  examples: [
    'golem config set discovery https://discovery.example',
    'golem config set relay-grace 120',
  ],

  async run(context, { args: [word = '', value = ''] }) {
    const setting = settingOf(word);
    checkValue(setting, value);
    return change(context, setting, value);
  },
};

export const unset: LocalCommand<SettingOutput> = {
  name: 'unset',
  isLocal: true,
  usage: 'SETTING',
  args: { min: 1, max: 1 },
  options: [],
  examples: ['golem config unset discovery'],

  run: (context, { args: [word = ''] }) => change(context, settingOf(word), undefined),
};

/** @returns what holds from now on, which may be what the environment says */
async function change(
  { home, note }: LocalContext,
  setting: Setting,
  value: string | undefined,
): Promise<SettingOutput> {
  const { name, variable } = setting;
  await changeConfig(home.paths.config, (now) =>
    withValue(now, home.context.value, setting, value),
  );
  const { context, env } = home;
  // The environment of the process, without what the file had added to it.
  const said =
    home.valueOf(setting).origin === 'environment' ? env : { ...env, [variable]: undefined };
  const after = openHome(said, context.origin === 'flag' ? context.value : undefined);
  const found = settingsOf(after).find((each) => each.name === name);
  if (!found) throw new TypeError('every setting has a value');
  if (found.from === 'environment')
    note(`golem: ${variable} says ${found.value}, and goes before it.`);
  else
    note(`${name}: ${found.value}${found.from === 'default' ? ', as nothing else is said' : ''}`);
  return found;
}

export function withValue(
  config: Config,
  context: string,
  { name, isPerContext = false }: Setting,
  value: string | undefined,
): Config {
  const { contexts, settings } = config;
  if (isPerContext) {
    const { [name as 'discovery']: _, ...rest } = contexts[context] ?? {};
    const changed = value === undefined ? rest : { ...rest, [name]: value };
    return { ...config, contexts: { ...contexts, [context]: changed } };
  }
  const { [name]: _, ...others } = settings;
  return { ...config, settings: value === undefined ? others : { ...others, [name]: value } };
}
