import { CLOSE } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import {
  constantFrom,
  array,
  assert,
  integer,
  oneof,
  property,
  record,
  constant,
  double,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AGENT_LIMITS } from '../limits.ts';
import {
  dueAt,
  INITIAL,
  phaseOf,
  reduce,
  type LinkEffect,
  type LinkEvent,
  type LinkState,
} from './machine.ts';

const half = () => 0.5;
const { silenceSeconds, pingSeconds, textPingSeconds } = LIMITS.control;

/** Runs events from the start, with the clock in the events. */
function play(events: readonly LinkEvent[], from: LinkState = INITIAL) {
  let state = from;
  const effects: LinkEffect[] = [];
  for (const event of events) {
    const step = reduce(state, event, half);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

const started: LinkEvent[] = [{ kind: 'started', now: 0 }];
const connected: LinkEvent[] = [
  ...started,
  { kind: 'opened', socket: 1, now: 10 },
  { kind: 'welcomed', socket: 1, now: 20 },
];
const closed = (socket: number, now: number, displaced = false, waitMillis = 0): LinkEvent => ({
  ...{ kind: 'closed', socket, displaced, waitMillis, now },
});

describe('the link', () => {
  test('tries at once, offers first, and serves when it is welcome', () => {
    const { state, effects } = play(connected);
    expect(effects).toEqual([
      { kind: 'open', socket: 1 },
      { kind: 'offer', socket: 1 },
    ]);
    expect(phaseOf(state)).toBe('connected');
  });

  test('backs off with full jitter, longer each time, and never gives up', () => {
    let { state } = play(started);
    const waits: number[] = [];
    for (let now = 0, tries = 1; tries <= 12; tries += 1) {
      ({ state } = reduce(state, closed(tries, now), () => 0.999999));
      expect(phaseOf(state)).toBe('backing-off');
      const due = dueAt(state) ?? 0;
      waits.push(due - now);
      now = due;
      ({ state } = reduce(state, { kind: 'ticked', now }, half));
      expect(phaseOf(state)).toBe('connecting');
    }
    expect(waits.slice(0, 5).map((wait) => Math.round(wait / 1000))).toEqual([2, 4, 8, 16, 32]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(AGENT_LIMITS.link.backoff.capMillis);
  });

  test('counts failures anew after a connection that lasted, and not after one that did not', () => {
    const flapping = play([...connected, closed(1, 100)]).state;
    expect(flapping.failures).toBe(1);
    const again = play(
      [
        { kind: 'ticked', now: 5000 },
        { kind: 'opened', socket: 2, now: 5010 },
        { kind: 'welcomed', socket: 2, now: 5020 },
      ],
      flapping,
    ).state;
    expect(play([closed(2, 5100)], again).state.failures).toBe(2);
    expect(play([closed(2, 5020 + AGENT_LIMITS.link.stableMillis)], again).state.failures).toBe(1);
  });

  test('pings, and drops a peer that says nothing', () => {
    const { state } = play(connected);
    expect(dueAt(state)).toBe(20 + pingSeconds * 1000);
    const pinged = play([{ kind: 'ticked', now: 20 + pingSeconds * 1000 }], state);
    expect(pinged.effects).toEqual([{ kind: 'ping', socket: 1 }]);
    const silent = play([{ kind: 'ticked', now: 20 + silenceSeconds * 1000 }], pinged.state);
    expect(silent.effects).toEqual([{ kind: 'close', socket: 1, close: CLOSE.silent }]);
    expect(phaseOf(silent.state)).toBe('backing-off');
  });

  test('sends a text ping for the hub’s sweeps, over a connection that lives', () => {
    const effects: LinkEffect[] = [];
    let { state } = play(connected);
    for (let now = 20; now <= 20 + textPingSeconds * 1000; now += 1000) {
      const step = play(
        [
          { kind: 'heard', socket: 1, now },
          { kind: 'ticked', now },
        ],
        state,
      );
      state = step.state;
      effects.push(...step.effects);
    }
    expect(effects.filter(({ kind }) => kind === 'text-ping')).toHaveLength(1);
    expect(effects.filter(({ kind }) => kind === 'ping')).toHaveLength(9);
  });

  test('gives up on an upgrade and on a welcome that do not come', () => {
    const connecting = play([...started, { kind: 'ticked', now: AGENT_LIMITS.link.connectMillis }]);
    expect(connecting.effects.at(-1)).toEqual({ kind: 'close', socket: 1, close: CLOSE.silent });
    const greeting = play([
      ...connected.slice(0, 2),
      { kind: 'ticked', now: 10 + AGENT_LIMITS.link.welcomeMillis },
    ]);
    expect(greeting.effects.at(-1)).toEqual({ kind: 'close', socket: 1, close: CLOSE.silent });
    expect(phaseOf(greeting.state)).toBe('backing-off');
  });

  test('lets go of a draining hub only when the next one has said welcome', () => {
    const draining = play([...connected, { kind: 'drained', socket: 1, now: 1000 }]).state;
    expect(phaseOf(draining)).toBe('draining');
    const opening = play(
      [
        { kind: 'ticked', now: 1000 + AGENT_LIMITS.link.drainMillis },
        { kind: 'opened', socket: 2, now: 3100 },
      ],
      draining,
    );
    expect(opening.effects).toEqual([
      { kind: 'open', socket: 2 },
      { kind: 'offer', socket: 2 },
    ]);
    const moved = play([{ kind: 'welcomed', socket: 2, now: 3200 }], opening.state);
    expect(moved.effects).toMatchObject([{ kind: 'close', socket: 1, close: { code: 1000 } }]);
    expect(moved.state.serving?.socket).toBe(2);
    expect(phaseOf(play([closed(1, 3300)], moved.state).state)).toBe('connected');
  });

  test('is not put off when the hub drops the old connection for our new one', () => {
    const { state } = play([
      ...connected,
      { kind: 'drained', socket: 1, now: 1000 },
      { kind: 'ticked', now: 3000 },
      closed(1, 3010, true),
      { kind: 'opened', socket: 2, now: 3020 },
      { kind: 'welcomed', socket: 2, now: 3030 },
    ]);
    expect(phaseOf(state)).toBe('connected');
  });

  test('stays away for long when another agent has this key', () => {
    const { state } = play([...connected, closed(1, 1000, true)]);
    expect(dueAt(state)).toBeGreaterThanOrEqual(1000 + AGENT_LIMITS.link.displacedMillis);
  });

  test('waits at least as long as discovery wants', () => {
    const { state } = play([...started, closed(1, 0, false, 30_000)]);
    expect(dueAt(state)).toBe(30_000);
  });

  test('closes whatever is open when it stops', () => {
    const { state, effects } = play([...connected, { kind: 'stopped' }]);
    expect(effects.at(-1)).toEqual({ kind: 'close', socket: 1, close: CLOSE.shutdown });
    expect(dueAt(state)).toBeNull();
    expect(
      play(
        [
          { kind: 'ticked', now: 1e9 },
          { kind: 'started', now: 1e9 },
        ],
        state,
      ).effects,
    ).toEqual([]);
  });
});

test('whatever happens, it never rests without a connection or a next try', () => {
  const socket = integer({ min: 1, max: 12 });
  const step = integer({ min: 0, max: 400_000 });
  const event = oneof(
    record({ kind: constantFrom('opened', 'welcomed', 'heard', 'drained'), socket, step }),
    record({
      ...{ kind: constant('closed'), socket, displaced: constantFrom(true, false) },
      ...{ waitMillis: integer({ min: 0, max: 60_000 }), step },
    }),
    record({ kind: constantFrom('ticked', 'started'), step }),
  );
  assert(
    property(
      array(event, { maxLength: 60 }),
      double({ min: 0, max: 0.999, noNaN: true }),
      (events, random) => {
        let now = 0;
        let { state } = play(started);
        const open = new Set([1]);
        for (const { step, ...happened } of events) {
          now += step;
          const result = reduce(state, { ...happened, now }, () => random);
          state = result.state;
          if (happened.kind === 'closed') open.delete(happened.socket);
          for (const effect of result.effects) {
            if (effect.kind === 'open') {
              expect(effect.socket).toBe(Math.max(...open, state.lastSocket - 1, 0) + 1);
              open.add(effect.socket);
            }
            if (effect.kind === 'close') open.delete(effect.socket);
          }
          expect(state.serving ?? state.seeking).not.toBeNull();
          expect(dueAt(state)).not.toBeNull();
          // Never more than the one that serves and the one that is to follow it.
          const used = [state.serving, state.seeking].filter(
            (found) => found !== null && 'socket' in found,
          );
          expect(open.size).toBeLessThanOrEqual(2);
          expect(used.length).toBeLessThanOrEqual(2);
        }
      },
    ),
  );
});
