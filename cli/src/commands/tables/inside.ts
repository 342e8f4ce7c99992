/** Ways into a VM. */
import type { Entry } from '../command.ts';

export const INSIDE = {
  ssh: {
    summary: 'go in, or run one command there',
    aliases: ['connect', 'shell'],
    load: async () => (await import('../vm/ssh.ts')).ssh,
  },
  exec: {
    summary: 'run a program in a VM: its words, streams and exit code as they are',
    load: async () => (await import('../vm/exec.ts')).exec,
  },
  cp: {
    summary: 'copy files into a VM, out of it, or between two',
    aliases: ['copy', 'transfer'],
    load: async () => (await import('../vm/cp.ts')).cp,
  },
  forward: {
    summary: 'lead ports of this machine to ports in a VM',
    load: async () => (await import('../vm/forward.ts')).forward,
  },
  'ssh-config': {
    summary: 'print what OpenSSH has to know to reach a VM',
    load: async () => (await import('../vm/ssh-config.ts')).sshConfig,
  },
  proxy: {
    summary: 'connect standard input and output to the SSH port of a VM, or another',
    load: async () => (await import('../vm/proxy.ts')).proxy,
  },
} as const satisfies Record<string, Entry>;
