/**
 * Whether one provider is there, as a pure reducer: its hub tells it what happened, and does what
 * it answers. Time is in milliseconds since 1970.
 */
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { SignedOffer } from '@vm-on-golem/shared/offer';
import { DISCOVERY_LIMITS } from '../../limits.ts';

/**
 * - `absent`: no socket
 * - `greeting`: a socket whose first offer has not come yet
 * - `online`: a socket and an offer
 * - `draining`: as `online`, and told to connect to the hub that it belongs to
 * - `grace`: the socket broke, or was let go by this hub; most come back at once
 */
type Phase = 'absent' | 'greeting' | 'online' | 'draining' | 'grace';

interface Shown {
  readonly offer: SignedOffer;
  /** The offer without its number and date: equal when there is no news in it. */
  readonly substance: string;
  readonly epoch: number;
  readonly country: string;
  readonly asn: number | null;
  readonly online: boolean;
  readonly since: number;
}

export interface Presence {
  readonly phase: Phase;
  /** Of the newest upgrade; only a higher one is let in. */
  readonly epoch: number;
  readonly connection: string | null;
  readonly country: string;
  readonly asn: number | null;
  /** Of the newest offer. */
  readonly sequence: number;
  /** When `greeting`, `draining` or `grace` ends, or when the last offer came. */
  readonly at: number;
  /** What the list shows, or is about to. Null before the first offer. */
  readonly shown: Shown | null;
  /** Rises with `shown`; what is above `written` is not in the list yet. */
  readonly revision: number;
  readonly written: number;
}

export const NEVER_SEEN: Presence = {
  phase: 'absent',
  epoch: -1,
  connection: null,
  country: 'unknown',
  asn: null,
  sequence: -1,
  at: 0,
  shown: null,
  revision: 0,
  written: 0,
};

export type PresenceEvent =
  /** Its epoch is above the stored one: see `admits`. */
  | {
      readonly kind: 'connected';
      readonly connection: string;
      readonly epoch: number;
      readonly country: string;
      readonly asn: number | null;
      readonly now: number;
    }
  | {
      readonly kind: 'offered';
      readonly connection: string;
      readonly offer: SignedOffer;
      readonly sequence: number;
      readonly substance: string;
      readonly now: number;
    }
  /** `clean`: the peer said that it goes. */
  | {
      readonly kind: 'closed';
      readonly connection: string;
      readonly clean: boolean;
      readonly now: number;
    }
  /** A request was not answered, and nothing else was heard since it was sent. */
  | { readonly kind: 'unanswered'; readonly connection: string; readonly now: number }
  /**
   * The sweep. `heardAt`: last sign of life on the current socket; null when it is not there.
   * `isOurs`: the provider belongs to this hub, and to no other.
   */
  | {
      readonly kind: 'swept';
      readonly heardAt: number | null;
      readonly isOurs: boolean;
      readonly now: number;
    }
  /** Another hub, which the provider has left, shows it under `epoch`. */
  | { readonly kind: 'elsewhere'; readonly epoch: number; readonly now: number }
  /** The hub goes away. */
  | { readonly kind: 'dismissed'; readonly now: number }
  /** The list shows everything up to `revision`. */
  | { readonly kind: 'written'; readonly revision: number };

export type PresenceEffect =
  | {
      readonly kind: 'close';
      readonly connection: string;
      readonly close: Close;
      readonly reason: string;
    }
  | { readonly kind: 'welcome' | 'drain'; readonly connection: string };

export interface Step {
  readonly state: Presence;
  readonly effects: readonly PresenceEffect[];
}

/** A text ping late by as long as any sign of life may be late. */
const SILENT_AFTER = (LIMITS.control.textPingSeconds + LIMITS.control.silenceSeconds) * 1000;
const GRACE = LIMITS.control.graceSeconds * 1000;
const HELLO = LIMITS.control.helloSeconds * 1000;
const DRAIN = DISCOVERY_LIMITS.hub.drainMillis;

/** Has a socket over which it can be asked. */
export function isThere({ phase }: Presence): boolean {
  return phase === 'online' || phase === 'draining';
}

export function admits(state: Presence, epoch: number): boolean {
  return epoch > state.epoch;
}

/**
 * When the provider must be swept next, or null when nothing can change by itself.
 * @param heardAt as in `swept`
 */
export function dueAt({ phase, at }: Presence, heardAt: number | null): number | null {
  if (phase === 'absent') return null;
  return phase === 'online' ? Math.max(at, heardAt ?? at) + SILENT_AFTER : at;
}

export function reduce(state: Presence, event: PresenceEvent): Step {
  if (event.kind === 'connected') return connected(state, event);
  if (event.kind === 'swept') return swept(state, event);
  if (event.kind === 'elsewhere') return elsewhere(state, event);
  if (event.kind === 'dismissed') return dismissed(state, event.now);
  if (event.kind === 'written') {
    return nothing({ ...state, written: Math.max(state.written, event.revision) });
  }
  // What a former connection still does is no news of the provider.
  if (event.connection !== state.connection) return nothing(state);
  if (event.kind === 'offered') return offered(state, event);
  if (event.kind === 'unanswered') return closing(state, event.now, CLOSE.silent);
  return event.clean ? gone(state, event.now) : broken(state, event.now);
}

type EventOf<Kind extends PresenceEvent['kind']> = Extract<PresenceEvent, { kind: Kind }>;

const nothing = (state: Presence): Step => ({ state, effects: [] });

function connected(state: Presence, event: EventOf<'connected'>): Step {
  const { connection, epoch, country, asn, now } = event;
  return {
    state: { ...state, phase: 'greeting', connection, epoch, country, asn, at: now + HELLO },
    effects: state.connection === null ? [] : [close(state.connection, CLOSE.displaced)],
  };
}

function offered(state: Presence, event: EventOf<'offered'>): Step {
  const { connection, offer, sequence, substance, now } = event;
  const again = state.shown?.offer.text === offer.text;
  if (!again && sequence <= state.sequence) {
    const reason = `offer ${sequence} is not newer than ${state.sequence}`;
    return closing(state, now, CLOSE.protocol, reason);
  }
  const effects: PresenceEffect[] =
    state.phase === 'greeting' ? [{ kind: 'welcome', connection }] : [];
  const { shown, country, asn } = state;
  const online: Presence = {
    ...state,
    ...(state.phase === 'draining' ? {} : { phase: 'online', at: now }),
    sequence: Math.max(sequence, state.sequence),
  };
  const news =
    !shown?.online ||
    shown.substance !== substance ||
    shown.country !== country ||
    shown.asn !== asn;
  if (!news) return { state: online, effects };
  const since = shown?.online ? shown.since : now;
  const { epoch } = state;
  return {
    state: show(online, { offer, substance, epoch, country, asn, online: true, since }),
    effects,
  };
}

function broken(state: Presence, now: number): Step {
  if (!state.shown?.online) return gone(state, now);
  return nothing({ ...state, phase: 'grace', connection: null, at: now + GRACE });
}

function gone(state: Presence, now: number): Step {
  const absent: Presence = { ...state, phase: 'absent', connection: null, at: now };
  const { shown } = state;
  return nothing(shown?.online ? show(absent, { ...shown, online: false, since: now }) : absent);
}

function swept(state: Presence, { heardAt, isOurs, now }: EventOf<'swept'>): Step {
  const { connection } = state;
  if (state.phase === 'absent') return nothing(state);
  if (state.phase === 'grace') return now >= state.at ? gone(state, now) : nothing(state);
  if (heardAt === null) return broken(state, now);
  if (state.phase === 'greeting') {
    const reason = `no offer within ${LIMITS.control.helloSeconds} s`;
    return now >= state.at ? closing(state, now, CLOSE.protocol, reason) : nothing(state);
  }
  if (now - heardAt >= SILENT_AFTER) return closing(state, now, CLOSE.silent);
  if (state.phase === 'draining') return now >= state.at ? dismissed(state, now) : nothing(state);
  if (!isOurs && connection !== null) {
    const draining: Presence = { ...state, phase: 'draining', at: now + DRAIN };
    return { state: draining, effects: [{ kind: 'drain', connection }] };
  }
  // Nothing is stored while nothing happens: a million idle providers would cost a million writes.
  return nothing(state);
}

/** Its agent did nothing wrong and comes back at once: until then it stays on the list. */
function dismissed(state: Presence, now: number): Step {
  const { connection } = state;
  if (connection === null) return nothing(state);
  return { state: broken(state, now).state, effects: [close(connection, CLOSE.drain)] };
}

/**
 * The provider may have been there and come back without that this hub saw it go: then what it was
 * shown with before is not what the list has now.
 */
function elsewhere(state: Presence, { epoch, now }: EventOf<'elsewhere'>): Step {
  if (state.epoch <= epoch) return closing(state, now, CLOSE.displaced);
  const { shown } = state;
  if (shown === null || shown.epoch > epoch) return nothing(state);
  return nothing(show(state, { ...shown, epoch: state.epoch }));
}

function closing(state: Presence, now: number, why: Close, reason?: string): Step {
  const { connection } = state;
  return {
    state: gone(state, now).state,
    effects: connection === null ? [] : [close(connection, why, reason)],
  };
}

function close(connection: string, why: Close, reason: string = why.reason): PresenceEffect {
  return { kind: 'close', connection, close: why, reason };
}

function show(state: Presence, shown: Shown): Presence {
  return { ...state, shown, revision: state.revision + 1 };
}
