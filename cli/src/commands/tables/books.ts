/** What VMs cost. */
import type { Entry } from '../command.ts';

export const BOOKS = {
  usage: {
    summary: 'what your VMs have cost',
    load: async () => (await import('../vm/usage.ts')).usage,
  },
} as const satisfies Record<string, Entry>;
