/** `golem-provider service status`: whether it is installed and runs. */
import { existsSync } from 'node:fs';
import { EXIT } from '@vm-on-golem/shared/errors';
import { isRunning, isThere, managerFor } from '../../service/manager.ts';
import { command } from '../command.ts';

export const status = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider service status'],
  settings: [],
  options: [],
  run: async (_input, { env }) => {
    const manager = managerFor(process.platform, process.getuid?.() ?? -1, env);
    const installed = existsSync(manager.file);
    const running = installed && isThere(manager) && (await isRunning(manager));
    return { manager: manager.name, file: manager.file, installed, running };
  },
  present: ({ manager, file, installed, running }) => [
    installed
      ? `Installed for ${manager} (${file}), and ${running ? 'running' : 'not running'}.`
      : `Not installed: there is no ${file}.`,
  ],
  exitCode: ({ running }) => (running ? EXIT.ok : EXIT.unreachable),
});
