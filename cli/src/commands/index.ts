/** All commands by group and word. Each is loaded when it is called, so that starting stays quick. */
import type { Entry } from './command.ts';
import { BOOKS } from './tables/books.ts';
import { INSIDE } from './tables/inside.ts';
import { LIFE } from './tables/life.ts';
import { RENT } from './tables/rent.ts';
import { SHARING } from './tables/sharing.ts';

export const GROUPS = {
  vm: {
    summary: 'rent VMs and go into them',
    commands: { ...RENT, ...LIFE, ...INSIDE, ...BOOKS, ...SHARING },
  },
} as const satisfies Record<string, { summary: string; commands: Record<string, Entry> }>;
