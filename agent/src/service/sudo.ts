/** Whether root acts for somebody who has a configuration of their own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import type { Environment } from '../config/setting.ts';

/** Names that a shell takes for a user's behind `~`, and for nothing else. */
const USER_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

export interface OwnConfig {
  readonly user: string;
  readonly file: string;
}

/** @returns whose configuration the one who typed `sudo` has most likely meant, if there is one */
export async function configBehindSudo(env: Environment): Promise<OwnConfig | undefined> {
  const user = env['SUDO_USER'] ?? '';
  if (process.getuid?.() !== 0 || user === 'root' || !USER_NAME.test(user)) return undefined;
  // The shell asks whatever knows users here; a name that it does not know it leaves as it is.
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `echo ~${user}`]);
  const home = stdout.trim();
  if (!isAbsolute(home)) return undefined;
  const file = join(home, '.config', 'golem-provider', 'config.toml');
  return existsSync(file) ? { user, file } : undefined;
}
