/** `golem vm ssh`: the system's OpenSSH, with `golem vm proxy` as its way through. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { knownHostsFile } from '../../openssh/known-hosts.ts';
import { sshOptions, type SshTarget } from '../../openssh/options.ts';
import { RELAY_VARIABLES } from '../../tunnel/settings.ts';
import type { LocalCommand, LocalContext } from '../command.ts';
import { ownSshKeyFile } from '../../state/ssh-keys.ts';
import { findReady, type ReadyEntry } from '../read/reference.ts';

export const ssh: LocalCommand<number> = {
  name: 'ssh',
  isLocal: true,
  usage: 'NAME [-- COMMAND...]',
  args: { min: 1, max: 1 },
  options: [{ name: 'tty', short: 't', summary: 'a terminal for the command' }],
  examples: ['golem vm ssh web', 'golem vm ssh web -- uname -a', 'golem vm ssh -t web -- top'],
  passesOn: true,

  async run(context, { args: [reference = ''], rest, options }) {
    const entry = await findReady(context, reference);
    const words = sshOptions(targetOf(context, entry)).flatMap(([name, value]) => [
      '-o',
      `${name}=${value}`,
    ]);
    return runSsh([...words, ...(options['tty'] ? ['-t'] : []), '--', entry.vm.id, ...rest]);
  },
  exitCode: (code) => code,
};

export function targetOf(
  { paths, self, env }: LocalContext,
  { vm, sshKey }: ReadyEntry,
): SshTarget {
  const environment: Record<string, string> = {};
  for (const name of ['GOLEM_DISCOVERY', 'GOLEM_HOME', ...RELAY_VARIABLES]) {
    const value = env[name];
    if (value !== undefined) environment[name] = value;
  }
  return {
    vm,
    identityFile: sshKey ?? ownSshKeyFile(paths),
    knownHostsFile: knownHostsFile(paths, vm.id),
    self,
    environment,
  };
}

/** The terminal belongs to ssh meanwhile: it handles Ctrl-C, and its exit code is ours. */
function runSsh(args: readonly string[]): Promise<number> {
  const child = spawn('ssh', args, { stdio: 'inherit' });
  const ignore = () => undefined;
  // What is sent to this process alone is meant for both.
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', ignore);
  process.on('SIGTERM', passOn).on('SIGHUP', passOn);
  return new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(
        new GolemError('relay_failed', 'There is no OpenSSH client here.', {
          hint: 'Install openssh-client.',
          cause,
        }),
      );
    });
    child.once('exit', (code, signal) => {
      resolve(code ?? (signal ? 128 + constants.signals[signal] : EXIT.transport));
    });
  }).finally(() => process.off('SIGINT', ignore).off('SIGTERM', passOn).off('SIGHUP', passOn));
}
