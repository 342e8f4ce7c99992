/** All commands by group and word. Each is loaded when it is called, so that starting stays quick. */
import type { Command } from './command.ts';

export interface Entry {
  readonly summary: string;
  readonly aliases?: readonly string[];
  load(): Promise<Command>;
}

export const GROUPS = {
  vm: {
    summary: 'rent VMs and go into them',
    commands: {
      providers: {
        summary: 'list providers with room for a VM, and its price there',
        load: async () => (await import('./vm/providers.ts')).providers,
      },
      create: {
        summary: 'rent a VM, and wait until one can go in',
        load: async () => (await import('./vm/create.ts')).create,
      },
      wait: {
        summary: 'wait until a VM that is being created is ready',
        load: async () => (await import('./vm/wait.ts')).wait,
      },
      list: {
        summary: 'what you rent, and how it is',
        aliases: ['ls'],
        load: async () => (await import('./vm/list.ts')).list,
      },
      info: {
        summary: 'all about one VM',
        aliases: ['show'],
        load: async () => (await import('./vm/info.ts')).info,
      },
      ssh: {
        summary: 'go in, or run one command there',
        aliases: ['connect'],
        load: async () => (await import('./vm/ssh.ts')).ssh,
      },
      'ssh-config': {
        summary: 'print what OpenSSH has to know to reach a VM',
        load: async () => (await import('./vm/ssh-config.ts')).sshConfig,
      },
      proxy: {
        summary: 'connect standard input and output to the SSH port of a VM',
        load: async () => (await import('./vm/proxy.ts')).proxy,
      },
      start: {
        summary: 'boot a VM that was stopped',
        load: async () => (await import('./vm/power.ts')).start,
      },
      stop: {
        summary: 'shut a VM down; its disk stays',
        load: async () => (await import('./vm/power.ts')).stop,
      },
      renew: {
        summary: 'keep VMs for longer',
        load: async () => (await import('./vm/renew.ts')).renew,
      },
      events: {
        summary: 'what happened to a VM, also when it is gone',
        load: async () => (await import('./vm/events.ts')).events,
      },
      usage: {
        summary: 'what your VMs have cost',
        load: async () => (await import('./vm/usage.ts')).usage,
      },
      share: {
        summary: 'let another key see a VM and go in',
        load: async () => (await import('./vm/share.ts')).share,
      },
      unshare: {
        summary: 'take that back, and cut off who is in',
        load: async () => (await import('./vm/share.ts')).unshare,
      },
      accept: {
        summary: 'take up a VM that somebody shares with you',
        load: async () => (await import('./vm/accept.ts')).accept,
      },
      key: {
        summary: 'print what others need to share a VM with you',
        load: async () => (await import('./vm/key.ts')).key,
      },
      destroy: {
        summary: 'give VMs back, with all that is on their disks',
        aliases: ['delete', 'rm'],
        load: async () => (await import('./vm/destroy.ts')).destroy,
      },
    },
  },
} as const satisfies Record<string, { summary: string; commands: Record<string, Entry> }>;
