/** About the program itself. */
import type { Entry } from '../command.ts';

export const PROGRAM = {
  version: {
    summary: 'which version this is',
    load: async () => (await import('../version.ts')).version,
  },
} as const satisfies Record<string, Entry>;
