/** Defaults that depend on the machine and on who runs the agent. */
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Environment } from './setting.ts';

export function defaultDataDir(env: Environment): string {
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'golem-provider');
}

export function defaultName(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, LIMITS.offer.nameChars)
    .replaceAll(/^-+|-+$/g, '');
  return name || 'provider';
}
