/** What OpenSSH has to be told to reach a VM, for a command line or a configuration file. */
import { quoted as shellWord } from '../guest/words.ts';
import { hostKeyAlias } from './known-hosts.ts';
import type { Vm } from '@vm-on-golem/shared/vm';

export interface SshTarget {
  /** `gp_...`. */
  readonly provider: string;
  readonly vm: Pick<Vm, 'id' | 'user'>;
  readonly identityFile: string;
  readonly knownHostsFile: string;
  /** Words that start `golem`. */
  readonly self: readonly string[];
  /** Set in the environment of the proxy, so that it finds the same key and state. */
  readonly environment: Readonly<Record<string, string>>;
}

/** In the order and the spelling of ssh_config(5). */
export function sshOptions(target: SshTarget): [name: string, value: string][] {
  const { vm, identityFile, knownHostsFile } = target;
  return [
    ['User', vm.user],
    ['HostKeyAlias', hostKeyAlias(target)],
    ['UserKnownHostsFile', quoted(knownHostsFile)],
    ['GlobalKnownHostsFile', '/dev/null'],
    // The key is known already: one that differs is somebody else.
    ['StrictHostKeyChecking', 'yes'],
    ['IdentityFile', quoted(identityFile)],
    ['IdentitiesOnly', 'yes'],
    ['CheckHostIP', 'no'],
    // The relay watches the connection; probes through it would only wake it.
    ['ServerAliveInterval', '0'],
    ['ProxyCommand', proxyCommand(target)],
  ];
}

function proxyCommand({ provider, vm, self, environment }: SshTarget): string {
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const words = ['env', ...assignments, ...self, 'vm', 'proxy', `${provider}/${vm.id}`];
  // ssh expands % and has a shell execute the rest.
  return words.map((word) => shellWord(word).replaceAll('%', '%%')).join(' ');
}

/** ssh_config takes a value with spaces in double quotes. */
export function quoted(path: string): string {
  const text = path.replaceAll('%', '%%');
  return /\s/.test(text) ? `"${text}"` : text;
}
