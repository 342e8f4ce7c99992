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
  renew: {
    summary: 'keep VMs for longer',
    load: async () => (await import('../vm/renew.ts')).renew,
  },
  events: {
    summary: 'what happened to a VM, also when it is gone',
    load: async () => (await import('../vm/events.ts')).events,
  },
} as const satisfies Record<string, Entry>;
