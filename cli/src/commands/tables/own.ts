/** What belongs to the person: key, settings, contexts, and how all that is. */
import type { Entry } from '../command.ts';

export const OWN = {
  doctor: {
    summary: 'look at what keeps golem from working here, and say what helps',
    load: async () => (await import('../doctor.ts')).doctor,
  },
} as const satisfies Record<string, Entry>;

export const KEY = {
  show: {
    summary: 'print what others need to share a VM with you',
    load: async () => (await import('../key/show.ts')).show,
  },
  backup: {
    summary: 'write the key, and what is known of your VMs, to a file that a passphrase opens',
    load: async () => (await import('../key/backup.ts')).backup,
  },
  restore: {
    summary: 'take the key back from such a file, here or on another machine',
    load: async () => (await import('../key/restore.ts')).restore,
  },
  rotate: {
    summary: 'make a new key, and give it all your VMs',
    load: async () => (await import('../key/rotate.ts')).rotate,
  },
} as const satisfies Record<string, Entry>;

export const CONFIG = {
  list: {
    summary: 'all settings, their values, and where these come from',
    aliases: ['ls'],
    load: async () => (await import('../config/list.ts')).list,
  },
  get: {
    summary: 'print the value of a setting',
    load: async () => (await import('../config/get.ts')).get,
  },
  set: {
    summary: 'write a setting to the file',
    load: async () => (await import('../config/set.ts')).set,
  },
  unset: {
    summary: 'take a setting out of the file',
    load: async () => (await import('../config/set.ts')).unset,
  },
} as const satisfies Record<string, Entry>;

export const CONTEXT = {
  list: {
    summary: 'all contexts, and the one in use',
    aliases: ['ls'],
    load: async () => (await import('../context/list.ts')).list,
  },
  show: {
    summary: 'the context in use, or another one, with its files',
    load: async () => (await import('../context/show.ts')).show,
  },
  use: {
    summary: 'take a context from now on',
    load: async () => (await import('../context/use.ts')).use,
  },
  add: {
    summary: 'a name for another discovery service',
    load: async () => (await import('../context/add.ts')).add,
  },
  remove: {
    summary: 'forget a context; keys and VMs stay',
    aliases: ['rm'],
    load: async () => (await import('../context/remove.ts')).remove,
  },
} as const satisfies Record<string, Entry>;
