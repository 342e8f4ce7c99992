/** The configuration file that `init` writes: every setting with what it means. Pure. */
import { writtenValue } from './file.ts';
import { describeSetting, GROUPS, variableOf } from './setting.ts';
import { settingOf, SETTING_NAMES, type SettingName } from './settings.ts';

/** @param values what is set, as it would be typed; everything else is written as a comment */
export function configTemplate(values: Readonly<Partial<Record<SettingName, string>>>): string {
  return [
    '# The settings of golem-provider. A line that begins with # is not set, and what it would be',
    `# otherwise is said in parentheses. A variable such as ${variableOf('name')} overrides a line`,
    '# here, and a flag such as --name overrides both: see golem-provider config explain.',
    ...Object.entries(GROUPS).flatMap(([group, title]) => [
      '',
      `## ${title}`,
      ...SETTING_NAMES.filter((name) => settingOf(name).group === group).flatMap((name) => [
        '',
        `# ${describeSetting(settingOf(name))}`,
        lineOf(name, values[name]),
      ]),
    ]),
    '',
  ].join('\n');
}

function lineOf(name: SettingName, value: string | undefined): string {
  if (value !== undefined) return `${name} = ${writtenValue(name, value)}`;
  const { default: fallback } = settingOf(name);
  return `#${name} = ${typeof fallback === 'string' ? writtenValue(name, fallback) : ''}`.trimEnd();
}
