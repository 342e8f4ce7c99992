import type { Clock } from '@vm-on-golem/shared/stream/ports';

/** The machine's own clockwork; tests bring another. */
export const clock: Clock = {
  now: () => performance.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};
