/** `golem-provider service install`: the agent runs whenever this machine does. */
import { existsSync, realpathSync } from 'node:fs';
import { isSea } from 'node:sea';
import { delimiter, dirname, join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { loadConfig } from '../../config/config.ts';
import { variableOf, type Environment } from '../../config/setting.ts';
import { SETTING_NAMES } from '../../config/settings.ts';
import { configFile, type Flags } from '../../config/sources.ts';
import { writeWhole } from '../../config/write.ts';
import { isThere, managerFor, runAll } from '../../service/manager.ts';
import { configBehindSudo } from '../../service/sudo.ts';
import { command, type Surroundings } from '../command.ts';

/** Where system services find programs, beside what the installing user's PATH says. */
const PROGRAMS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export const install = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider service install',
    'golem-provider service install --dry-run',
    'sudo golem-provider service install --config /etc/golem-provider.toml --data-dir /var/lib/golem-provider',
  ],
  settings: ['data-dir'],
  options: [{ name: 'dry-run', help: 'print what would be installed, and change nothing' }],
  run: async ({ flags, options }, around) => {
    const manager = managerFor(process.platform, process.getuid?.() ?? -1, around.env);
    await refuseUnfounded(flags, around.env);
    const { config, sources } = loadConfig(flags, withoutSettings(around));
    const dataDir = config['data-dir'];
    // What else it comes from is not the same for the service: homes and variables differ.
    const isInFile = sources.candidates['data-dir'][0]?.origin.kind === 'file';
    const definition = manager.define({
      command: [
        ...self(),
        'start',
        '--config',
        sources.file,
        ...(isInFile ? [] : ['--data-dir', dataDir]),
      ],
      system: process.getuid?.() === 0,
      logFile: join(dataDir, 'stderr.log'),
      path: [...new Set([dirname(process.execPath), ...PROGRAMS])].join(delimiter),
    });
    const { name, file, lingering } = manager;
    const dryRun = options['dry-run'] === true;
    const ignored = SETTING_NAMES.map(variableOf).filter((variable) => around.env[variable]);
    if (!dryRun) {
      if (!isThere(manager)) {
        throw new GolemError('unsupported', `${name} does not run on this machine.`, {
          hint: 'See what would be installed with --dry-run.',
        });
      }
      await writeWhole(file, definition);
      await runAll(manager.install);
    }
    return { manager: name, file, definition, dryRun, ignored, lingering: lingering ?? null };
  },
  present: ({ manager, file, definition, dryRun, ignored, lingering }) => {
    if (dryRun) return [`# ${file}`, ...definition.trimEnd().split('\n')];
    return [
      `${manager} runs the agent now, and whenever this machine starts: ${file}`,
      ...ignored.map((variable) => `! ${variable} is set here and not for the service.`),
      ...(lingering === null ? [] : [`! It ends when you log out, unless you run: ${lingering}`]),
      '',
      'golem-provider status shows how it goes.',
    ];
  },
});

/** @throws {GolemError} `usage` without a configuration, and where root would take another one than was meant */
async function refuseUnfounded(flags: Flags, env: Environment): Promise<void> {
  const { file, isSaid } = configFile(flags, env);
  const own = isSaid ? undefined : await configBehindSudo(env);
  if (own) {
    throw new GolemError(
      'usage',
      `The configuration ${own.file} is ${own.user}'s, and a service of the whole machine is root's.`,
      {
        hint: 'Run this without sudo, or say what the service is to use with --config and --data-dir.',
      },
    );
  }
  if (!existsSync(file)) {
    throw new GolemError('usage', `A service needs a configuration, and there is no ${file}.`, {
      hint: 'golem-provider init writes one; name it with --config.',
    });
  }
}

/** What is set in this terminal is not set where the service runs. */
function withoutSettings({ env }: Surroundings) {
  const { HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, GOLEM_PROVIDER_CONFIG } = env;
  return { HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, GOLEM_PROVIDER_CONFIG };
}

/** Words that start the program that runs, where it really is. A single-file executable is one word. */
function self(): string[] {
  return isSea() ? [process.execPath] : [process.execPath, realpathSync(process.argv[1] ?? '')];
}
