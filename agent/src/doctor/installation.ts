/** Whether the program is set up as it should be: its configuration, its files, its service. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { loadConfig } from '../config/config.ts';
import { isRunning, isThere, managerFor } from '../service/manager.ts';
import { VERSION } from '../version.ts';
import { configured, failure, ok, skipped, warning, type Check, type Finding } from './check.ts';

export const configuration: Check = {
  name: 'configuration',
  run: async ({ flags, env, loaded }) => {
    if (!loaded) return unreadable(() => loadConfig(flags, env));
    const { file, hasFile, unknownVariables } = loaded.sources;
    if (unknownVariables.length > 0) {
      return warning(
        `${unknownVariables.join(', ')}: no setting is called so`,
        'see golem-provider config explain',
      );
    }
    if (!hasFile) return warning(`there is no ${file}`, 'golem-provider init');
    const { mode } = await stat(file);
    if (mode & OTHERS_MAY_WRITE) {
      return failure(`${file} can be written by others`, `chmod go-w '${file}'`);
    }
    return ok(file);
  },
};

function unreadable(load: () => unknown): Finding {
  try {
    load();
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    return failure(error.message, error.hint ?? 'correct it, and ask again');
  }
  // It was wrong a moment ago, and somebody has corrected it since.
  return warning('it has just changed', 'golem-provider doctor');
}

const OTHERS_MAY_WRITE = 0o022;
const OTHERS_MAY = 0o077;
/** Whoever reads these is this provider. */
const SECRETS = ['identity-key.json', 'sealing-key.json'] as const;

export const files = configured('files', async ({ loaded }) => {
  const folder = loaded.config['data-dir'];
  if (!existsSync(folder)) return ok(`${folder} is made at the first start`);
  if (process.platform === 'win32') return skipped('Windows keeps them by other means');
  const { uid, mode } = await stat(folder);
  const me = process.getuid?.();
  if (uid !== me && me !== 0) {
    return failure(`${folder} belongs to another user`, 'run this as that user, such as with sudo');
  }
  if (mode & OTHERS_MAY_WRITE) {
    return failure(`${folder} can be written by others`, `chmod go-w '${folder}'`);
  }
  for (const name of SECRETS) {
    const path = join(folder, name);
    if (existsSync(path) && (await stat(path)).mode & OTHERS_MAY) {
      return failure(`the key ${path} can be read by others`, `chmod 600 '${path}'`);
    }
  }
  return ok(`${folder} is its user's alone`);
});

export const service: Check = {
  name: 'service',
  run: async ({ env }) => {
    let manager;
    try {
      manager = managerFor(process.platform, process.getuid?.() ?? -1, env);
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      return skipped(error.message);
    }
    if (!isThere(manager)) return skipped(`${manager.name} does not run here`);
    if (!existsSync(manager.file)) {
      return warning(
        'nothing starts the agent when this machine starts',
        'golem-provider service install',
      );
    }
    return (await isRunning(manager))
      ? ok(`${manager.name} runs it: ${manager.file}`)
      : warning(`${manager.name} knows it, and does not run it`, `see ${manager.name}'s log`);
  },
};

export const agent: Check = {
  name: 'agent',
  run: async ({ status, silence, dataDir }) => {
    if (silence) return failure(silence.message, silence.hint ?? 'see golem-provider logs');
    if (dataDir === undefined) return skipped('where it would be, the configuration does not say');
    if (!status) return warning('it does not run', 'golem-provider start');
    const { version, waiting, orphans, pid } = status;
    if (version !== VERSION) {
      return warning(`${version} runs, and ${VERSION} is installed`, 'start it again');
    }
    if (waiting.length > 0) {
      return warning(`it does not know yet: ${waiting.join(', ')}`, 'start it again');
    }
    if (orphans.length > 0) {
      return warning(`${orphans.length} guests belong to no VM`, 'golem-provider orphans');
    }
    return ok(`runs as ${pid}`);
  },
};
