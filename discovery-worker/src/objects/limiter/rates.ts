/** What may be done how often. */

/** Each key of each class has a bucket of its own. */
export const LIMITED = ['list', 'command', 'relay', 'connect'] as const;
export type Limited = (typeof LIMITED)[number];

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * Generous: they stop floods, not users. An empty bucket is full again within ten seconds, the
 * least time that an idle object stays in memory: so a bucket needs no storage, and what eviction
 * forgets is a full one.
 */
export const DEFAULT_RATES: Record<Limited, Rate> = {
  /** By address, or by /64 of IPv6: many people may sit behind one. */
  list: { perSecond: 50, burst: 500 },
  /** By requestor key. Pages of events are commands too. */
  command: { perSecond: 50, burst: 500 },
  /** By requestor key. An `scp` of many files opens one session for each. */
  relay: { perSecond: 10, burst: 100 },
  /** By provider key: control sockets and legs of sessions. */
  connect: { perSecond: 20, burst: 200 },
};
