/** `golem-provider version`, for programs as well: `-o json`. */
import { VERSION } from '../version.ts';
import { command } from './command.ts';

export const version = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider version'],
  settings: [],
  options: [],
  run: async () => ({ version: VERSION }),
  present: ({ version }) => [version],
});
