/** `golem-provider config set NAME VALUE`. */
import { changedLines, changeSettings } from '../changing.ts';
import { command } from '../command.ts';
import { settingNamed } from './named.ts';

export const set = command({
  usage: 'NAME VALUE',
  args: { min: 2, max: 2 },
  examples: [
    'golem-provider config set cpus 50%',
    'golem-provider config set image-dir /srv/images,/home/me/images',
    'golem-provider config set deny ""',
  ],
  settings: ['data-dir'],
  options: [],
  run: async (input, around) => {
    const [name = '', value = ''] = input.args;
    return changeSettings([[settingNamed(name), value]], input, around);
  },
  present: changedLines,
});
