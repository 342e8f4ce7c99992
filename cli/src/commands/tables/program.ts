/** About the program itself. */
import type { Entry } from '../command.ts';

export const PROGRAM = {
  completion: {
    summary: 'print what your shell needs to complete commands and names of VMs',
    load: async () => (await import('../completion.ts')).completion,
  },
  version: {
    summary: 'which version this is',
    load: async () => (await import('../version.ts')).version,
  },
} as const satisfies Record<string, Entry>;
