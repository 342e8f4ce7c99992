/** `golem-provider config show`: every setting, in the form of the file. */
import { settingOf, type SettingName } from '../../config/settings.ts';
import { writtenValue } from '../../config/file.ts';
import { currentConfig } from '../changing.ts';
import { command } from '../command.ts';

export const show = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider config show', 'golem-provider config show -o json'],
  settings: ['data-dir'],
  options: [],
  run: currentConfig,
  present: ({ file, isRunning, settings }) => [
    `# ${isRunning ? 'Of the agent that runs here, whose file is' : 'No agent runs; the file is'} ${file}`,
    ...settings.map(({ name, value, origin }) => {
      if (value === null || (value.length === 0 && origin === 'default')) {
        const { otherwise } = settingOf(name as SettingName);
        return `#${name} =${otherwise === undefined ? '' : ` # ${otherwise}`}`;
      }
      return `${name} = ${writtenValue(name as SettingName, String(value))}`;
    }),
  ],
});
