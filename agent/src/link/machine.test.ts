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
import { dueAt, reduce } from './machine.ts';
import {
  INITIAL,
  phaseOf,
  type Ending,
  type LinkEffect,
  type LinkEvent,
  type LinkState,
} from './state.ts';

const half = () => 0.5;
const { answerSeconds, silenceSeconds, pingSeconds, textPingSeconds } = LIMITS.control;

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
const closed = (socket: number, now: number, why: Ending = 'lost', waitMillis = 0): LinkEvent => ({
  ...{ kind: 'closed', socket, why, waitMillis, now },
});
/** The next connection, from a state that waits for it. */
const reconnected = (state: LinkState, socket: number): LinkEvent[] => {
  const now = dueAt(state) ?? 0;
  return [
    { kind: 'ticked', now },
    { kind: 'opened', socket, now: now + 10 },
    { kind: 'welcomed', socket, now: now + 20 },
  ];
};
const almostOne = () => 0.999999;
const { againMillis, stableMillis } = AGENT_LIMITS.link;

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

  test('tries at once after a connection that lasted, spread a little, and backs off only then', () => {
    const lasted = play([...connected]).state;
    const lostAt = 20 + stableMillis;
    let { state } = reduce(lasted, closed(1, lostAt), almostOne);
    const waits: number[] = [];
    for (let now = lostAt, socket = 2; socket <= 8; socket += 1) {
      const due = dueAt(state) ?? 0;
      waits.push(due - now);
      now = due;
      ({ state } = reduce(state, { kind: 'ticked', now }, half));
      ({ state } = reduce(state, closed(socket, now), almostOne));
    }
    expect(waits[0]).toBeGreaterThan(againMillis / 2);
    expect(waits[0]).toBeLessThan(againMillis);
    expect(waits.slice(1, 6).map((wait) => Math.round(wait / 1000))).toEqual([2, 4, 8, 16, 32]);
    // With no jitter at all, it is at once.
    expect(dueAt(reduce(lasted, closed(1, lostAt), () => 0).state)).toBe(lostAt);
  });

  test('tries at once when the hub goes away, but not again and again', () => {
    let { state } = reduce(play(connected).state, closed(1, 100, 'drained'), almostOne);
    expect(dueAt(state)).toBeLessThan(100 + againMillis);
    const waits: number[] = [];
    for (let socket = 2; socket <= 5; socket += 1) {
      ({ state } = play(reconnected(state, socket), state));
      const now = state.serving?.since ?? 0;
      ({ state } = reduce(state, closed(socket, now, 'drained'), almostOne));
      waits.push(Math.round(((dueAt(state) ?? 0) - now) / 1000));
    }
    expect(waits).toEqual([4, 8, 16, 32]);
  });

  test('counts tries anew after a connection that lasted, and not after one that did not', () => {
    const flapping = play([...connected, closed(1, 100)]).state;
    expect(flapping.tries).toBe(1);
    const again = play(reconnected(flapping, 2), flapping).state;
    expect(play([closed(2, 5100)], again).state.tries).toBe(2);
    const since = again.serving?.since ?? 0;
    expect(play([closed(2, since + stableMillis)], again).state.tries).toBe(0);
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

  test('finds out within the silence, wherever between two pings it begins', () => {
    assert(
      property(integer({ min: 20, max: 600_000 }), integer({ min: 0, max: 500 }), (hole, delay) => {
        let { state } = play(connected);
        for (;;) {
          const now = dueAt(state) ?? 0;
          const step = reduce(state, { kind: 'ticked', now }, half);
          ({ state } = step);
          if (step.effects.some(({ kind }) => kind === 'close')) {
            expect(now - hole).toBeLessThanOrEqual(silenceSeconds * 1000);
            expect(now).toBeGreaterThan(hole);
            return;
          }
          // Whatever is answered before the hole begins comes through.
          const pong = now + delay;
          if (pong <= hole)
            ({ state } = reduce(state, { kind: 'heard', socket: 1, now: pong }, half));
        }
      }),
    );
  });

  test('lets go of a draining hub only when the next one has said welcome and nothing is owed', () => {
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
    expect(moved.effects).toEqual([{ kind: 'leave', socket: 1 }]);
    expect(moved.state.serving?.socket).toBe(2);
    expect(phaseOf(moved.state)).toBe('connected');
    const left = play([{ kind: 'idle', socket: 1 }], moved.state);
    expect(left.effects).toMatchObject([{ kind: 'close', socket: 1, close: { code: 1000 } }]);
    expect(left.state.leaving).toBeNull();
    expect(phaseOf(play([closed(1, 3300)], left.state).state)).toBe('connected');
  });

  test('does not owe answers for ever, nor to more than one hub', () => {
    const drainedTwice = (answered: LinkEvent[]) => {
      const draining = play([...connected, { kind: 'drained', socket: 1, now: 1000 }]).state;
      const moved = play([...reconnected(draining, 2), ...answered], draining).state;
      const again = play([{ kind: 'drained', socket: 2, now: 4000 }], moved).state;
      return play(reconnected(again, 3), again);
    };
    const { state, effects } = drainedTwice([]);
    expect(effects).toContainEqual(expect.objectContaining({ kind: 'close', socket: 1 }));
    expect(state.leaving?.socket).toBe(2);
    const since = state.serving?.since ?? 0;
    const late = play([{ kind: 'ticked', now: since + answerSeconds * 1000 }], state);
    expect(late.effects).toContainEqual(expect.objectContaining({ kind: 'close', socket: 2 }));
    expect(late.state.leaving).toBeNull();
    // What an old one does is no news of the new one.
    expect(drainedTwice([{ kind: 'idle', socket: 1 }]).effects).toContainEqual({
      ...{ kind: 'leave', socket: 2 },
    });
  });

  test('is not put off when the hub drops the old connection for our new one', () => {
    const { state } = play([
      ...connected,
      { kind: 'drained', socket: 1, now: 1000 },
      { kind: 'ticked', now: 3000 },
      closed(1, 3010, 'displaced'),
      { kind: 'opened', socket: 2, now: 3020 },
      { kind: 'welcomed', socket: 2, now: 3030 },
    ]);
    expect(phaseOf(state)).toBe('connected');
  });

  test('stays away for long when another agent has this key', () => {
    const { state } = play([...connected, closed(1, 1000, 'displaced')]);
    expect(dueAt(state)).toBeGreaterThanOrEqual(1000 + AGENT_LIMITS.link.displacedMillis);
  });

  test('waits as long as discovery wants, and not as long as all others', () => {
    const dues = [0, 0.5, 0.9].map((random) =>
      dueAt(reduce(play(started).state, closed(1, 0, 'lost', 30_000), () => random).state),
    );
    expect(dues).toEqual([30_000, 31_000, 31_800]);
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
    record({ kind: constantFrom('opened', 'welcomed', 'heard', 'drained', 'idle'), socket, step }),
    record({
      ...{ kind: constant('closed'), socket, why: constantFrom('lost', 'drained', 'displaced') },
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
          // The one that serves, the one that is to follow it, and the one that it has followed.
          const used = [state.serving, state.seeking, state.leaving].flatMap((found) =>
            found !== null && 'socket' in found ? [found.socket] : [],
          );
          expect(new Set(used)).toEqual(open);
          expect(used).toHaveLength(open.size);
        }
      },
    ),
  );
});
