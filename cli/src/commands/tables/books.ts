/** What VMs would cost, and what they have cost. */
import type { Entry } from '../command.ts';

export const BOOKS = {
  estimate: {
    summary: 'what a VM would cost, before it is rented',
    load: async () => (await import('../vm/estimate.ts')).estimate,
  },
  cost: {
    summary: 'what your VMs have cost',
    aliases: ['usage'],
    load: async () => (await import('../vm/cost.ts')).cost,
  },
} as const satisfies Record<string, Entry>;
