/** What the control connection can be in, what can happen to it, and what is to be done. */
import type { Close } from '@vm-on-golem/shared/closes';

/** The connection that has been welcomed. Times in milliseconds since 1970. */
interface Serving {
  readonly socket: number;
  readonly since: number;
  /** Last sign of life. */
  readonly heardAt: number;
  readonly pingAt: number;
  readonly textPingAt: number;
}

/**
 * - `waiting`: until the next try
 * - `connecting`: the upgrade is under way
 * - `greeting`: our offer is sent, the hub's welcome is not here yet
 */
type Seeking =
  | { readonly phase: 'waiting'; readonly until: number }
  | { readonly phase: 'connecting' | 'greeting'; readonly socket: number; readonly until: number };

/** The connection whose place was taken: until all that it asked is answered, and no longer. */
interface Leaving {
  readonly socket: number;
  readonly until: number;
}

export interface LinkState {
  readonly serving: Serving | null;
  readonly seeking: Seeking | null;
  readonly leaving: Leaving | null;
  /** Since the last connection that lasted. */
  readonly tries: number;
  readonly lastSocket: number;
  readonly stopped: boolean;
}

export type LinkEvent =
  | { readonly kind: 'started'; readonly now: number }
  | { readonly kind: 'opened'; readonly socket: number; readonly now: number }
  | { readonly kind: 'welcomed'; readonly socket: number; readonly now: number }
  /** Anything at all came from the hub. */
  | { readonly kind: 'heard'; readonly socket: number; readonly now: number }
  /** `waitMillis`: the least that the hub wants us to wait. */
  | {
      readonly kind: 'closed';
      readonly socket: number;
      readonly why: Ending;
      readonly waitMillis: number;
      readonly now: number;
    }
  | { readonly kind: 'drained'; readonly socket: number; readonly now: number }
  /** Nothing that came over this socket is unanswered. */
  | { readonly kind: 'idle'; readonly socket: number }
  | { readonly kind: 'ticked'; readonly now: number }
  | { readonly kind: 'stopped' };

/**
 * - `drained`: the hub goes away, and wants us to come back
 * - `displaced`: the hub says that a newer connection with this key took over
 * - `lost`: anything else
 */
export type Ending = 'drained' | 'displaced' | 'lost';

export type LinkEffect =
  | { readonly kind: 'open'; readonly socket: number }
  /** Send the offer, first of all. */
  | { readonly kind: 'offer'; readonly socket: number }
  | { readonly kind: 'ping' | 'text-ping'; readonly socket: number }
  /** Tell when it is `idle`. */
  | { readonly kind: 'leave'; readonly socket: number }
  | { readonly kind: 'close'; readonly socket: number; readonly close: Farewell };

export type Farewell = Close | { readonly code: 1000; readonly reason: string };

export interface Step {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

/** What people want to know. */
export type LinkPhase = 'connecting' | 'connected' | 'draining' | 'backing-off' | 'stopped';

export const INITIAL: LinkState = {
  serving: null,
  seeking: null,
  leaving: null,
  tries: 0,
  lastSocket: 0,
  stopped: false,
};

export function phaseOf({ serving, seeking, stopped }: LinkState): LinkPhase {
  if (stopped) return 'stopped';
  if (serving) return seeking ? 'draining' : 'connected';
  return seeking?.phase === 'waiting' ? 'backing-off' : 'connecting';
}
