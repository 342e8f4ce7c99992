/** How a VM is, and its power. */
import type { Entry } from '../command.ts';

export const LIFE = {
  list: {
    summary: 'what you rent, and how it is',
    aliases: ['ls'],
    load: async () => (await import('../vm/list.ts')).list,
  },
  info: {
    summary: 'all about one VM',
    aliases: ['show'],
    load: async () => (await import('../vm/info.ts')).info,
  },
  start: {
    summary: 'boot a VM that was stopped',
    load: async () => (await import('../vm/power.ts')).start,
  },
  stop: {
    summary: 'shut a VM down; its disk stays',
    load: async () => (await import('../vm/power.ts')).stop,
  },
  restart: {
    summary: 'shut a VM down and boot it again',
    load: async () => (await import('../vm/power.ts')).restart,
  },
  suspend: {
    summary: 'save the memory of a VM to its disk, and stop it',
    load: async () => (await import('../vm/power.ts')).suspend,
  },
  resume: {
    summary: 'let a suspended VM go on where it was',
    load: async () => (await import('../vm/power.ts')).resume,
  },
  snapshot: {
    summary: 'take, list or delete snapshots of a disk',
    load: async () => (await import('../vm/snapshot.ts')).snapshot,
  },
  restore: {
    summary: 'put a disk back to a snapshot',
    load: async () => (await import('../vm/restore.ts')).restore,
  },
  resize: {
    summary: 'give a VM another size',
    load: async () => (await import('../vm/resize.ts')).resize,
  },
  renew: {
    summary: 'keep VMs for longer',
    load: async () => (await import('../vm/renew.ts')).renew,
  },
  stats: {
    summary: 'what a VM uses',
    load: async () => (await import('../vm/stats.ts')).stats,
  },
  console: {
    summary: 'what a VM writes to its serial console',
    load: async () => (await import('../vm/console.ts')).console,
  },
  events: {
    summary: 'what happened to a VM, also when it is gone',
    load: async () => (await import('../vm/events.ts')).events,
  },
} as const satisfies Record<string, Entry>;
