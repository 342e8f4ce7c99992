/** systemd or launchd on this machine: where the agent's definition goes, and what is run then. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Environment } from '../config/setting.ts';
import { launchdPlist, systemdUnit, type ServiceSpec } from './definition.ts';
import { LAUNCHD_LABEL } from './supervisor.ts';

const UNIT_NAME = 'golem-provider.service';

export interface Manager {
  readonly name: 'systemd' | 'launchd';
  /** Where its definition belongs. */
  readonly file: string;
  readonly define: (spec: ServiceSpec) => string;
  /** Command lines, run one after the other. */
  readonly install: readonly (readonly string[])[];
  readonly uninstall: readonly (readonly string[])[];
  /** Ends with 0 when the service runs. */
  readonly probe: readonly string[];
  /** What it runs for a user ends when that user logs out, unless this is run. */
  readonly lingering?: string;
}

/**
 * @param uid root installs for the machine, everybody else for themselves
 * @throws {GolemError} `unsupported`
 */
export function managerFor(platform: NodeJS.Platform, uid: number, env: Environment): Manager {
  const system = uid === 0;
  if (platform === 'linux') return systemd(system, env);
  if (platform === 'darwin') return launchd(system, uid);
  throw new GolemError('unsupported', 'There is no service for this system yet.', {
    hint: 'Have golem-provider start run by the task scheduler, at every start of the machine.',
  });
}

/** Whether there is one to talk to: a container has often none. */
export function isThere(manager: Manager): boolean {
  return manager.name === 'launchd' || existsSync('/run/systemd/system');
}

/** @throws {GolemError} `unsupported` with what the manager said */
export async function runAll(commands: readonly (readonly string[])[]): Promise<void> {
  for (const [program = '', ...words] of commands) {
    try {
      await promisify(execFile)(program, words);
    } catch (cause) {
      const said = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message;
      throw new GolemError('unsupported', `'${[program, ...words].join(' ')}' failed: ${said}`, {
        cause,
      });
    }
  }
}

export async function isRunning({ probe: [program = '', ...words] }: Manager): Promise<boolean> {
  try {
    await promisify(execFile)(program, words);
    return true;
  } catch (error) {
    // A program that ended with an exit code has said no.
    if (typeof (error as { code?: unknown }).code === 'number') return false;
    throw error;
  }
}

function systemd(system: boolean, env: Environment): Manager {
  const folder = system
    ? '/etc/systemd/system'
    : join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'systemd', 'user');
  const systemctl = (...words: string[]) => ['systemctl', ...(system ? [] : ['--user']), ...words];
  return {
    name: 'systemd',
    file: join(folder, UNIT_NAME),
    define: systemdUnit,
    install: [systemctl('daemon-reload'), systemctl('enable', '--now', UNIT_NAME)],
    uninstall: [systemctl('disable', '--now', UNIT_NAME)],
    probe: systemctl('is-active', '--quiet', UNIT_NAME),
    ...(system ? {} : { lingering: 'loginctl enable-linger' }),
  };
}

function launchd(system: boolean, uid: number): Manager {
  const folder = system ? '/Library/LaunchDaemons' : join(homedir(), 'Library', 'LaunchAgents');
  const domain = system ? 'system' : `gui/${uid}`;
  const file = join(folder, `${LAUNCHD_LABEL}.plist`);
  return {
    name: 'launchd',
    file,
    define: launchdPlist,
    install: [['launchctl', 'bootstrap', domain, file]],
    uninstall: [['launchctl', 'bootout', `${domain}/${LAUNCHD_LABEL}`]],
    probe: ['launchctl', 'print', `${domain}/${LAUNCHD_LABEL}`],
  };
}
