/**
 * The life of the control connection, as a pure reducer: the shell tells it what happened, and does
 * what it answers. Sockets are known by number, in the order in which they were opened.
 *
 * `serving` and `seeking` are apart because a hub that drains is left only when the next one has
 * said welcome.
 */
import { backoffMillis } from '@vm-on-golem/shared/backoff';
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { AGENT_LIMITS } from '../limits.ts';

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

export interface LinkState {
  readonly serving: Serving | null;
  readonly seeking: Seeking | null;
  /** Tries since the last connection that lasted. */
  readonly failures: number;
  readonly lastSocket: number;
  readonly stopped: boolean;
}

export type LinkEvent =
  | { readonly kind: 'started'; readonly now: number }
  | { readonly kind: 'opened'; readonly socket: number; readonly now: number }
  | { readonly kind: 'welcomed'; readonly socket: number; readonly now: number }
  /** Anything at all came from the hub. */
  | { readonly kind: 'heard'; readonly socket: number; readonly now: number }
  /**
   * `displaced`: the hub says that a newer connection with this key took over. `waitMillis`: the
   * least that the hub wants us to wait.
   */
  | {
      readonly kind: 'closed';
      readonly socket: number;
      readonly displaced: boolean;
      readonly waitMillis: number;
      readonly now: number;
    }
  | { readonly kind: 'drained'; readonly socket: number; readonly now: number }
  | { readonly kind: 'ticked'; readonly now: number }
  | { readonly kind: 'stopped' };

export type LinkEffect =
  | { readonly kind: 'open'; readonly socket: number }
  /** Send the offer, first of all. */
  | { readonly kind: 'offer'; readonly socket: number }
  | { readonly kind: 'ping' | 'text-ping'; readonly socket: number }
  | { readonly kind: 'close'; readonly socket: number; readonly close: Farewell };

type Farewell = Close | typeof LEFT;

/** Said to a hub that drains, once another one serves. */
const LEFT = { code: 1000, reason: 'a newer connection serves' } as const;

export interface Step {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

/** What people want to know. */
export type LinkPhase = 'connecting' | 'connected' | 'draining' | 'backing-off' | 'stopped';

export const INITIAL: LinkState = {
  serving: null,
  seeking: null,
  failures: 0,
  lastSocket: 0,
  stopped: false,
};

const PING = LIMITS.control.pingSeconds * 1000;
const TEXT_PING = LIMITS.control.textPingSeconds * 1000;
const SILENCE = LIMITS.control.silenceSeconds * 1000;
const { connectMillis, welcomeMillis, backoff, drainMillis, displacedMillis, stableMillis } =
  AGENT_LIMITS.link;

export function phaseOf({ serving, seeking, stopped }: LinkState): LinkPhase {
  if (stopped) return 'stopped';
  if (serving) return seeking ? 'draining' : 'connected';
  return seeking?.phase === 'waiting' ? 'backing-off' : 'connecting';
}

/** When a `ticked` is due, or null when nothing happens by itself. */
export function dueAt({ serving, seeking, stopped }: LinkState): number | null {
  if (stopped) return null;
  const times = [
    ...(seeking ? [seeking.until] : []),
    ...(serving ? [serving.heardAt + SILENCE, serving.pingAt, serving.textPingAt] : []),
  ];
  return times.length === 0 ? null : Math.min(...times);
}

/** @param random uniform in [0, 1) */
export function reduce(state: LinkState, event: LinkEvent, random: () => number): Step {
  if (state.stopped) return same(state);
  switch (event.kind) {
    case 'started':
      return state.serving || state.seeking ? same(state) : open(state, event.now);
    case 'opened':
      return opened(state, event.socket, event.now);
    case 'welcomed':
      return welcomed(state, event.socket, event.now);
    case 'heard':
      return same(heard(state, event.socket, event.now));
    case 'closed':
      return same(closed(state, event, random));
    case 'drained':
      if (state.serving?.socket !== event.socket || state.seeking) return same(state);
      return same(wait(state, event.now + Math.floor(random() * drainMillis)));
    case 'ticked':
      return ticked(state, event.now, random);
    case 'stopped':
      break;
  }
  return stop(state);
}

const same = (state: LinkState): Step => ({ state, effects: [] });

function wait(state: LinkState, until: number): LinkState {
  return { ...state, seeking: { phase: 'waiting', until } };
}

function open(state: LinkState, now: number): Step {
  const socket = state.lastSocket + 1;
  return {
    state: {
      ...state,
      lastSocket: socket,
      seeking: { phase: 'connecting', socket, until: now + connectMillis },
    },
    effects: [{ kind: 'open', socket }],
  };
}

function opened(state: LinkState, socket: number, now: number): Step {
  if (state.seeking?.phase !== 'connecting' || state.seeking.socket !== socket) return same(state);
  return {
    state: { ...state, seeking: { phase: 'greeting', socket, until: now + welcomeMillis } },
    effects: [{ kind: 'offer', socket }],
  };
}

function welcomed(state: LinkState, socket: number, now: number): Step {
  if (state.seeking?.phase !== 'greeting' || state.seeking.socket !== socket) return same(state);
  const { serving } = state;
  return {
    state: {
      ...state,
      seeking: null,
      serving: {
        socket,
        since: now,
        heardAt: now,
        pingAt: now + PING,
        textPingAt: now + TEXT_PING,
      },
    },
    effects: serving ? [{ kind: 'close', socket: serving.socket, close: LEFT }] : [],
  };
}

function heard(state: LinkState, socket: number, now: number): LinkState {
  const { serving } = state;
  return serving?.socket === socket ? { ...state, serving: { ...serving, heardAt: now } } : state;
}

function closed(
  state: LinkState,
  { socket, displaced, waitMillis, now }: Extract<LinkEvent, { kind: 'closed' }>,
  random: () => number,
): LinkState {
  const { serving, seeking } = state;
  if (serving?.socket === socket) {
    const failures = now - serving.since >= stableMillis ? 0 : state.failures;
    const left = { ...state, serving: null, failures };
    // Displaced by our own next connection, or drained: that one is on its way already.
    return seeking ? left : failed(left, displaced, waitMillis, now, random);
  }
  if (seeking && seeking.phase !== 'waiting' && seeking.socket === socket) {
    return failed(state, displaced, waitMillis, now, random);
  }
  return state;
}

function failed(
  state: LinkState,
  displaced: boolean,
  waitMillis: number,
  now: number,
  random: () => number,
): LinkState {
  const failures = state.failures + 1;
  const pause = displaced
    ? displacedMillis + backoffMillis(failures, random, backoff)
    : Math.max(waitMillis, backoffMillis(failures, random, backoff));
  return wait({ ...state, failures }, now + pause);
}

function ticked(state: LinkState, now: number, random: () => number): Step {
  const effects: LinkEffect[] = [];
  let next = state;
  if (next.serving && now >= next.serving.heardAt + SILENCE) {
    const { socket } = next.serving;
    effects.push({ kind: 'close', socket, close: CLOSE.silent });
    next = closed(next, lost(socket, now), random);
  } else if (next.serving) {
    const { serving } = next;
    const { socket } = serving;
    if (now >= serving.pingAt) {
      effects.push({ kind: 'ping', socket });
      next = { ...next, serving: { ...serving, pingAt: now + PING } };
    }
    if (now >= serving.textPingAt) {
      effects.push({ kind: 'text-ping', socket });
      next = { ...next, serving: { ...(next.serving ?? serving), textPingAt: now + TEXT_PING } };
    }
  }
  const { seeking } = next;
  if (!seeking || now < seeking.until) return { state: next, effects };
  if (seeking.phase === 'waiting') {
    const opening = open(next, now);
    return { state: opening.state, effects: [...effects, ...opening.effects] };
  }
  effects.push({ kind: 'close', socket: seeking.socket, close: CLOSE.silent });
  return { state: closed(next, lost(seeking.socket, now), random), effects };
}

function lost(socket: number, now: number) {
  return { kind: 'closed', socket, displaced: false, waitMillis: 0, now } as const;
}

function stop(state: LinkState): Step {
  const sockets = [
    ...(state.serving ? [state.serving.socket] : []),
    ...(state.seeking && state.seeking.phase !== 'waiting' ? [state.seeking.socket] : []),
  ];
  return {
    state: { ...state, serving: null, seeking: null, stopped: true },
    effects: sockets.map((socket) => ({ kind: 'close', socket, close: CLOSE.shutdown })),
  };
}
