/** Finding, renting and giving back. */
import type { Entry } from '../command.ts';

export const RENT = {
  providers: {
    summary: 'list providers with room for a VM, and its price there',
    load: async () => (await import('../vm/providers.ts')).providers,
  },
  create: {
    summary: 'rent a VM, and wait until one can go in',
    load: async () => (await import('../vm/create.ts')).create,
  },
  wait: {
    summary: 'wait until nothing is at work on a VM any more',
    load: async () => (await import('../vm/wait.ts')).wait,
  },
  destroy: {
    summary: 'give VMs back, with all that is on their disks',
    aliases: ['delete', 'rm'],
    load: async () => (await import('../vm/destroy.ts')).destroy,
  },
  purge: {
    summary: 'give back all that you rent anywhere',
    load: async () => (await import('../vm/purge.ts')).purge,
  },
} as const satisfies Record<string, Entry>;
