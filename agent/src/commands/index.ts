/** Every command in one table; the code of one is loaded when it is run. */
import type { Command } from './command.ts';

export interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** By the words that are typed. A first word that several share is a group. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  init: {
    summary: 'write the configuration, from flags or by asking',
    load: async () => (await import('./init.ts')).init,
  },
  start: {
    summary: 'connect to discovery and serve VMs until stopped',
    load: async () => (await import('./start.ts')).start,
  },
  stop: {
    summary: 'stop the agent that runs here; its guests go on running',
    load: async () => (await import('./stop.ts')).stop,
  },
  status: {
    summary: 'show what the agent that runs here does',
    load: async () => (await import('./status.ts')).status,
  },
  doctor: {
    summary: 'find what keeps this machine from being a good host, and what helps',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  logs: {
    summary: 'show what the agent writes down',
    load: async () => (await import('./logs.ts')).logs,
  },
  vms: {
    summary: 'list the VMs that are here, and whose they are',
    load: async () => (await import('./vms.ts')).vms,
  },
  pause: {
    summary: 'take no new VMs, and leave those alone that are here',
    load: async () => (await import('./pause.ts')).pause,
  },
  resume: {
    summary: 'take new VMs again, and end a drain',
    load: async () => (await import('./resume.ts')).resume,
  },
  drain: {
    summary: 'stop all VMs at a time that their owners are told',
    load: async () => (await import('./drain.ts')).drain,
  },
  evict: {
    summary: "put an end to somebody's VM, for a reason that its owner reads",
    load: async () => (await import('./evict.ts')).evict,
  },
  orphans: {
    summary: 'list guests that belong to no VM',
    load: async () => (await import('./orphans/list.ts')).list,
  },
  'orphans remove': {
    summary: 'remove one of them, and its disk',
    load: async () => (await import('./orphans/remove.ts')).remove,
  },
  earnings: {
    summary: 'sum up what VMs have earned',
    load: async () => (await import('./earnings.ts')).earnings,
  },
  'pricing show': {
    summary: 'show what new VMs cost, with an example bill',
    load: async () => (await import('./pricing/show.ts')).show,
  },
  'pricing set': {
    summary: 'change what new VMs cost',
    load: async () => (await import('./pricing/set.ts')).set,
  },
  'config show': {
    summary: 'print every setting',
    load: async () => (await import('./config/show.ts')).show,
  },
  'config explain': {
    summary: 'say where every setting comes from, and what it overrides',
    load: async () => (await import('./config/explain.ts')).explain,
  },
  'config set': {
    summary: 'write a setting into the file, and tell the agent that runs here',
    load: async () => (await import('./config/set.ts')).set,
  },
  'config unset': {
    summary: 'take a setting out of the file, so that its default holds again',
    load: async () => (await import('./config/unset.ts')).unset,
  },
  'service install': {
    summary: 'have systemd or launchd run the agent, always',
    load: async () => (await import('./service/install.ts')).install,
  },
  'service uninstall': {
    summary: 'have it run no longer',
    load: async () => (await import('./service/uninstall.ts')).uninstall,
  },
  'service status': {
    summary: 'say whether it is installed and runs',
    load: async () => (await import('./service/status.ts')).status,
  },
  id: {
    summary: "print this provider's id, and make its key if there is none",
    load: async () => (await import('./id.ts')).id,
  },
  version: {
    summary: 'print the version',
    load: async () => (await import('./version.ts')).version,
  },
};

/** First words that are no command by themselves, and what their commands are about. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = {
  pricing: 'what new VMs cost',
  config: 'the settings, where they come from, and other ones',
  service: 'the agent as a service, which runs whenever this machine does',
};

/** What a person reads first. */
export const FIRST_STEPS = [
  'golem-provider init',
  'golem-provider doctor',
  'golem-provider start',
  'golem-provider status --watch',
] as const;
