/**
 * The life of the control connection, as a pure reducer: the shell tells it what happened, and does
 * what it answers. Sockets are known by number, in the order in which they were opened.
 *
 * `serving` and `seeking` are apart because a hub that drains is left only when the next one has
 * said welcome, and `leaving` because it is owed answers even then.
 */
import { backoffMillis } from '@vm-on-golem/shared/backoff';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { AGENT_LIMITS } from '../limits.ts';
import type { LinkEffect, LinkEvent, LinkState, Step } from './state.ts';

/** Said to a hub that drains, once another one serves and nothing is owed any more. */
const LEFT = { code: 1000, reason: 'a newer connection serves' } as const;

const PING = LIMITS.control.pingSeconds * 1000;
const TEXT_PING = LIMITS.control.textPingSeconds * 1000;
const SILENCE = LIMITS.control.silenceSeconds * 1000;
const ANSWER = LIMITS.control.answerSeconds * 1000;
const {
  connectMillis,
  welcomeMillis,
  againMillis,
  backoff,
  drainMillis,
  displacedMillis,
  stableMillis,
} = AGENT_LIMITS.link;

/** When a `ticked` is due, or null when nothing happens by itself. */
export function dueAt({ serving, seeking, leaving, stopped }: LinkState): number | null {
  if (stopped) return null;
  const times = [
    ...(seeking ? [seeking.until] : []),
    ...(leaving ? [leaving.until] : []),
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
      return same(wait(rested(state, event.now), event.now + Math.floor(random() * drainMillis)));
    case 'idle':
      return state.leaving?.socket === event.socket ? leave(state) : same(state);
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
      tries: state.tries + 1,
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
  const next = {
    ...state,
    seeking: null,
    serving: { socket, since: now, heardAt: now, pingAt: now + PING, textPingAt: now + TEXT_PING },
  };
  if (!serving) return same(next);
  const { effects } = leave(state);
  return {
    state: { ...next, leaving: { socket: serving.socket, until: now + ANSWER } },
    effects: [...effects, { kind: 'leave', socket: serving.socket }],
  };
}

function leave(state: LinkState): Step {
  const { leaving } = state;
  if (!leaving) return same(state);
  return {
    state: { ...state, leaving: null },
    effects: [{ kind: 'close', socket: leaving.socket, close: LEFT }],
  };
}

function heard(state: LinkState, socket: number, now: number): LinkState {
  const { serving } = state;
  return serving?.socket === socket ? { ...state, serving: { ...serving, heardAt: now } } : state;
}

/** Tries are counted anew after a connection that lasted. */
function rested(state: LinkState, now: number): LinkState {
  const { serving } = state;
  return serving && now - serving.since >= stableMillis ? { ...state, tries: 0 } : state;
}

function closed(
  state: LinkState,
  event: Extract<LinkEvent, { kind: 'closed' }>,
  random: () => number,
): LinkState {
  const { serving, seeking, leaving } = state;
  const { socket, why, now } = event;
  if (leaving?.socket === socket) return { ...state, leaving: null };
  if (serving?.socket === socket) {
    const left = { ...rested(state, now), serving: null };
    // Displaced by our own next connection, or drained: that one is on its way already.
    if (seeking) return left;
    // A hub that sends every connection away is not worth more than one try at once.
    return again(left, event, left.tries === 0 || (why === 'drained' && left.tries === 1), random);
  }
  if (seeking && seeking.phase !== 'waiting' && seeking.socket === socket) {
    return again(state, event, false, random);
  }
  return state;
}

function again(
  state: LinkState,
  { why, waitMillis, now }: Extract<LinkEvent, { kind: 'closed' }>,
  isAtOnce: boolean,
  random: () => number,
): LinkState {
  // On top of what everybody else was told to wait, too: they are not to come back together.
  const least = why === 'displaced' ? displacedMillis : waitMillis;
  const jitter = isAtOnce
    ? Math.floor(random() * againMillis)
    : backoffMillis(state.tries, random, backoff);
  return wait(state, now + least + jitter);
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
  if (next.leaving && now >= next.leaving.until) {
    const left = leave(next);
    effects.push(...left.effects);
    next = left.state;
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
  return { kind: 'closed', socket, why: 'lost', waitMillis: 0, now } as const;
}

function stop(state: LinkState): Step {
  const sockets = [
    ...(state.leaving ? [state.leaving.socket] : []),
    ...(state.serving ? [state.serving.socket] : []),
    ...(state.seeking && state.seeking.phase !== 'waiting' ? [state.seeking.socket] : []),
  ];
  return {
    state: { ...state, serving: null, seeking: null, leaving: null, stopped: true },
    effects: sockets.map((socket) => ({ kind: 'close', socket, close: CLOSE.shutdown })),
  };
}
