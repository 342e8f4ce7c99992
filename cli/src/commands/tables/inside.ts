/** Ways into a VM. */
import type { Entry } from '../command.ts';

export const INSIDE = {
  ssh: {
    summary: 'go in, or run one command there',
    aliases: ['connect'],
    load: async () => (await import('../vm/ssh.ts')).ssh,
  },
  'ssh-config': {
    summary: 'print what OpenSSH has to know to reach a VM',
    load: async () => (await import('../vm/ssh-config.ts')).sshConfig,
  },
  proxy: {
    summary: 'connect standard input and output to the SSH port of a VM',
    load: async () => (await import('../vm/proxy.ts')).proxy,
  },
} as const satisfies Record<string, Entry>;
