import type { Timers } from '@vm-on-golem/shared/stream/pump';

/** The machine's own clockwork; tests bring another. */
export const timers: Timers = {
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};
