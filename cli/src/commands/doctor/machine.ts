/** Checks that ask nobody: Node, settings, OpenSSH. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ownConfigFile } from '../../openssh/installed.ts';
import { ownVersion } from '../../program/version.ts';
import { readIfThere } from '../../state/files.ts';
import type { LocalContext } from '../command.ts';
import { failure, failureOf, ok, skipped, warning, type Check, type Finding } from './check.ts';

const OLDEST_NODE = 24;

export const MACHINE_CHECKS: readonly Check[] = [
  { name: 'version', run: async () => ok(`golem ${ownVersion()}`) },
  { name: 'node', run: async () => judgeNode(process.versions.node) },
  { name: 'settings', run: async ({ home }) => settings(home) },
  { name: 'ssh', run: ssh },
  { name: 'include', run: include },
];

export function judgeNode(version: string): Finding {
  const major = Number(version.split('.', 1)[0]);
  return major >= OLDEST_NODE
    ? ok(`Node ${version}`)
    : failure(`Node ${version} is too old`, `Install Node ${OLDEST_NODE} or newer.`);
}

function settings({ problem, context, discovery }: LocalContext['home']): Finding {
  if (problem) return failureOf(problem, 'golem config list');
  return ok(`context ${context.value}, discovery ${discovery}`);
}

async function ssh({ env }: LocalContext): Promise<Finding> {
  try {
    const { stderr } = await promisify(execFile)('ssh', ['-V'], { env: { ...env } });
    return ok(stderr.trim());
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is none' : String(error);
    return warning(
      `${why}: ssh, exec, cp and forward use one of their own`,
      'Install OpenSSH for scp, rsync and git; Debian calls it openssh-client.',
    );
  }
}

/** Whether `ssh NAME` finds VMs: by one line in the configuration of OpenSSH. */
async function include({ env, paths, home }: LocalContext): Promise<Finding> {
  const own = ownConfigFile(paths, home.context.value);
  const config = (await readIfThere(join(env['HOME'] ?? homedir(), '.ssh', 'config'))) ?? '';
  const isIncluded = config.split('\n').some((line) => /^\s*Include\s.*\bgolem\b/i.test(line));
  if (!isIncluded) {
    return skipped("ssh does not know VMs by name: 'golem vm ssh-config --help' says how it would");
  }
  return existsSync(own)
    ? ok('~/.ssh/config knows your VMs')
    : warning(`~/.ssh/config includes ${own}, which is not there`, 'golem vm ssh-config --help');
}
