/** `golem-provider service uninstall`: ends the service. Guests run on, and nothing else is removed. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import { isThere, managerFor, runAll } from '../../service/manager.ts';
import { command } from '../command.ts';

export const uninstall = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['sudo golem-provider service uninstall'],
  settings: [],
  options: [],
  run: async (_input, { env }) => {
    const manager = managerFor(process.platform, process.getuid?.() ?? -1, env);
    const { file } = manager;
    if (!existsSync(file)) {
      throw new GolemError('not_found', `No service is installed: there is no ${file}.`, {
        hint: 'A service of the whole machine is seen and removed by root.',
      });
    }
    if (isThere(manager)) await runAll(manager.uninstall);
    await rm(file);
    return { removed: file };
  },
  present: ({ removed }) => [`The service is removed: ${removed}. Guests that run go on running.`],
});
