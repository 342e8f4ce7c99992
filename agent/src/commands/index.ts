/** Every command in one table; the code of one is loaded when it is run. */
import type { Command } from './command.ts';

export interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** By the words that are typed. A first word that several share is a group. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
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
  id: {
    summary: "print this provider's id, and make its key if there is none",
    load: async () => (await import('./id.ts')).id,
  },
  version: {
    summary: 'print the version',
    load: async () => (await import('./version.ts')).version,
  },
};

/** What a person reads first. */
export const FIRST_STEPS = [
  'golem-provider start --discovery https://discovery.example --cpus 50% --memory 50%',
] as const;
