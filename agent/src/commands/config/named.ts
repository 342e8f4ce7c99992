/** Settings by the names that people type. */
import { unknown } from '../../argv.ts';
import { isSettingName, SETTING_NAMES, type SettingName } from '../../config/settings.ts';

/** @throws {GolemError} `usage` with a guess at what was meant */
export function settingNamed(name: string): SettingName {
  if (isSettingName(name)) return name;
  throw unknown('setting', name, SETTING_NAMES, 'golem-provider config explain lists them all.');
}
