/** From a VM of the book to what OpenSSH has to be told of it. */
import { knownHostsFile } from '../../openssh/known-hosts.ts';
import type { SshTarget } from '../../openssh/options.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import { RELAY_VARIABLES } from '../../tunnel/settings.ts';
import type { LocalContext } from '../command.ts';
import type { ReadyEntry } from '../read/reference.ts';

/** What the proxy that ssh starts has to know to find the same key, state and service. */
const PASSED_ON = ['GOLEM_DISCOVERY', 'GOLEM_HOME', 'GOLEM_CONTEXT', ...RELAY_VARIABLES] as const;

export async function targetOf(
  { paths, self, env }: Pick<LocalContext, 'paths' | 'self' | 'env'>,
  { provider, vm, sshKey }: Pick<ReadyEntry, 'provider' | 'vm' | 'sshKey'>,
): Promise<SshTarget> {
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = env[name];
    if (value !== undefined) environment[name] = value;
  }
  return {
    provider,
    vm,
    identityFile: sshKey ?? (await ownSshKey(paths)).file,
    knownHostsFile: knownHostsFile(paths, { provider, vm }),
    self,
    environment,
  };
}
