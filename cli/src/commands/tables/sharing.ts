/** Other people's keys. */
import type { Entry } from '../command.ts';

export const SHARING = {
  share: {
    summary: 'let another key see a VM and go in',
    load: async () => (await import('../vm/share.ts')).share,
  },
  unshare: {
    summary: 'take that back, and cut off who is in',
    load: async () => (await import('../vm/share.ts')).unshare,
  },
  accept: {
    summary: 'take up a VM that somebody shares with you',
    load: async () => (await import('../vm/accept.ts')).accept,
  },
  key: {
    summary: 'print what others need to share a VM with you',
    load: async () => (await import('../key/show.ts')).show,
  },
} as const satisfies Record<string, Entry>;
