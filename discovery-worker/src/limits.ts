/** The discovery service's own bounds, with their reasons. What the wire bounds is in shared/limits. */

const SECOND = 1000;

export const DISCOVERY_LIMITS = {
  hub: {
    /** A sweep looks at every provider of the hub, so those that are due soon wait for each other. */
    sweepSpacingMillis: 10 * SECOND,
    /** How soon a failed write of the list is tried again. */
    retryMillis: 5 * SECOND,
    /**
     * From `drain` to the cut. An agent spreads its next connection over 2 s, has 25 s to be welcome
     * there, and stays for the answers that it owes, 30 s at most; some may need a second try.
     */
    drainMillis: 90 * SECOND,
    /** Said of an agent whose connection broke: its first try is at once, its second within 2 s. */
    backSeconds: 2,
  },
  rentals: {
    /** Of those who ordered there. */
    own: {
      /** Providers that one key is remembered to have VMs at: more than anybody asks within seconds. */
      perRequestor: 500,
      /** Requestors that are remembered of one provider: more than the VMs that a machine has room for. */
      perProvider: 2_000,
    },
    /** Of whom others let in, which costs nothing: bounded apart, so that it drives out nothing else. */
    granted: {
      /** More than are shared with anybody; whoever is told of a VM by its owner needs no row. */
      perRequestor: 50,
      /** An agent takes 16 grants for each VM. */
      perProvider: 500,
    },
  },
  shutdown: {
    /** Answers take milliseconds, but for long polls, which may be asked again. */
    answerMillis: 5 * SECOND,
    /** From the last close to the end of the process: what has been answered is written out. */
    exitMillis: 1 * SECOND,
    /** Everything together: service managers kill after 10 s, some of them. */
    totalMillis: 8 * SECOND,
    /** Said to whoever comes meanwhile: a restart takes about as long. */
    retryAfterSeconds: 2,
    /** Whoever sends a second signal means it; npm passes on at once what was sent already. */
    insistenceMillis: 500,
  },
} as const;
