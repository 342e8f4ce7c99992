import { CLOSE } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DISCOVERY_LIMITS } from '../../limits.ts';
import {
  admits,
  dueAt,
  isThere,
  NEVER_SEEN,
  reduce,
  type Presence,
  type PresenceEvent,
} from './presence.ts';

const offer = (text: string) => ({ text, signature: 'x' });
const connected = (connection: string, epoch: number, now = 0): PresenceEvent => ({
  kind: 'connected',
  connection,
  epoch,
  country: 'DE',
  asn: null,
  now,
});
const offered = (
  connection: string,
  sequence: number,
  now = 0,
  substance = 's',
): PresenceEvent => ({
  kind: 'offered',
  connection,
  offer: offer(`${substance}-${sequence}`),
  sequence,
  substance,
  now,
});
const closed = (connection: string, clean: boolean, now = 0): PresenceEvent => ({
  kind: 'closed',
  connection,
  clean,
  now,
});
const swept = (now: number, heardAt: number | null, isOurs = true): PresenceEvent => ({
  kind: 'swept',
  now,
  heardAt,
  isOurs,
});
const elsewhere = (epoch: number, now = 0): PresenceEvent => ({ kind: 'elsewhere', epoch, now });

function after(...events: readonly PresenceEvent[]): Presence {
  return events.reduce((state, event) => reduce(state, event).state, NEVER_SEEN);
}

describe('presence', () => {
  it('shows a provider once it has offered, and not before', () => {
    expect(after(connected('a', 1)).shown).toBeNull();
    const { state, effects } = reduce(after(connected('a', 1)), offered('a', 1, 5));
    expect(state).toMatchObject({
      phase: 'online',
      revision: 1,
      shown: { online: true, since: 5 },
    });
    expect(effects).toEqual([{ kind: 'welcome', connection: 'a' }]);
  });

  it('gives a broken socket grace, and has nothing to write when the same comes back', () => {
    const online = after(connected('a', 1), offered('a', 1));
    const grace = reduce(online, closed('a', false, 1_000)).state;
    expect(grace).toMatchObject({ phase: 'grace', revision: online.revision });
    expect(dueAt(grace, null)).toBe(1_000 + LIMITS.control.graceSeconds * 1000);
    const back = [connected('b', 2, 2_000), offered('b', 2, 2_000)].reduce(
      (state, event) => reduce(state, event).state,
      grace,
    );
    expect(back).toMatchObject({ phase: 'online', connection: 'b', revision: online.revision });
    expect(reduce(grace, swept(dueAt(grace, null) ?? 0, null)).state).toMatchObject({
      phase: 'absent',
      shown: { online: false },
      revision: online.revision + 1,
    });
  });

  it('takes a provider off at once when it closes cleanly', () => {
    expect(after(connected('a', 1), offered('a', 1), closed('a', true, 9))).toMatchObject({
      phase: 'absent',
      shown: { online: false, since: 9 },
    });
  });

  it('keeps the offer of a reconnecting provider on the list until it fails to offer', () => {
    const again = after(connected('a', 1), offered('a', 1), connected('b', 2, 100));
    expect(again).toMatchObject({ phase: 'greeting', shown: { online: true } });
    const { state, effects } = reduce(again, swept(dueAt(again, null) ?? 0, 100));
    expect(state).toMatchObject({ phase: 'absent', shown: { online: false } });
    expect(effects).toMatchObject([{ kind: 'close', connection: 'b', close: CLOSE.protocol }]);
  });

  it('lets nobody show an older offer, except the very one that is shown', () => {
    const online = after(connected('a', 1), offered('a', 5));
    expect(reduce(online, offered('a', 5)).state.phase).toBe('online');
    for (const sequence of [4, 5]) {
      const { state, effects } = reduce(online, offered('a', sequence, 0, 'other'));
      expect(state.phase).toBe('absent');
      expect(effects).toMatchObject([{ kind: 'close', close: CLOSE.protocol }]);
    }
  });

  it('stores nothing for a provider that is idle', () => {
    const online = after(connected('a', 1), offered('a', 1));
    expect(reduce(online, swept(200_000, 190_000)).state).toBe(online);
    expect(dueAt(online, 190_000)).toBeGreaterThan(190_000 + LIMITS.control.textPingSeconds * 1000);
  });

  it('loses what a deploy dropped when the sweep finds no socket', () => {
    expect(reduce(after(connected('a', 1), offered('a', 1)), swept(50, null)).state).toMatchObject({
      phase: 'grace',
      connection: null,
    });
  });
});

describe('a provider that belongs to another hub', () => {
  const online = after(connected('a', 1), offered('a', 1));
  const draining = reduce(online, swept(1_000, 900, false)).state;

  it('is told so once, and stays listed and reachable', () => {
    const { state, effects } = reduce(online, swept(1_000, 900, false));
    expect(effects).toEqual([{ kind: 'drain', connection: 'a' }]);
    expect(state).toMatchObject({ phase: 'draining', connection: 'a', revision: online.revision });
    expect(isThere(state)).toBe(true);
    expect(reduce(state, swept(2_000, 1_900, false))).toEqual({ state, effects: [] });
  });

  it('is cut off when it does not go, and stays listed for the grace', () => {
    const due = dueAt(draining, null) ?? 0;
    expect(due).toBe(1_000 + DISCOVERY_LIMITS.hub.drainMillis);
    const { state, effects } = reduce(draining, swept(due, due, false));
    expect(effects).toMatchObject([{ kind: 'close', connection: 'a', close: CLOSE.drain }]);
    expect(state).toMatchObject({ phase: 'grace', revision: online.revision });
  });

  it('may change its offer meanwhile, and gets no more time by that', () => {
    const { state } = reduce(draining, offered('a', 2, 5_000, 'other'));
    expect(state).toMatchObject({ phase: 'draining', revision: online.revision + 1 });
    expect(dueAt(state, null)).toBe(dueAt(draining, null));
  });

  it('that is silent is no less so', () => {
    const { effects } = reduce(online, swept(1e9, 0, false));
    expect(effects).toMatchObject([{ kind: 'close', close: CLOSE.silent }]);
  });
});

describe('a provider that another hub has shown', () => {
  it('is written once more when it is here again, though nothing has changed since', () => {
    const online = after(connected('a', 1), offered('a', 1));
    const back = [closed('a', false, 1), connected('b', 9, 2), offered('b', 1, 3)].reduce(
      (state, event) => reduce(state, event).state,
      online,
    );
    expect(back).toMatchObject({ revision: online.revision, shown: { epoch: 1 } });
    const { state } = reduce(back, elsewhere(5));
    expect(state).toMatchObject({
      phase: 'online',
      revision: online.revision + 1,
      shown: { epoch: 9, online: true },
    });
    expect(reduce(state, elsewhere(5)).state).toBe(state);
  });

  it('is not here when that was later, whatever its socket looks like', () => {
    const { state, effects } = reduce(after(connected('a', 1), offered('a', 1)), elsewhere(5));
    expect(state).toMatchObject({ phase: 'absent', shown: { online: false, epoch: 1 } });
    expect(effects).toMatchObject([{ kind: 'close', connection: 'a', close: CLOSE.displaced }]);
  });
});

describe('a hub that goes away', () => {
  it('lets go of whoever is there, and the list does not show it', () => {
    const online = after(connected('a', 1), offered('a', 1));
    const { state, effects } = reduce(online, { kind: 'dismissed', now: 7 });
    expect(effects).toMatchObject([{ kind: 'close', connection: 'a', close: CLOSE.drain }]);
    expect(state).toMatchObject({ phase: 'grace', revision: online.revision });
    expect(reduce(state, { kind: 'dismissed', now: 8 })).toEqual({ state, effects: [] });
  });
});

const connection = fc.constantFrom('a', 'b', 'c');
const now = fc.nat(2_000_000);
const event: fc.Arbitrary<PresenceEvent> = fc.oneof(
  fc.tuple(connection, fc.nat(20), now).map((values) => connected(...values)),
  fc
    .tuple(connection, fc.nat(20), now, fc.constantFrom('s', 't'))
    .map((values) => offered(...values)),
  fc.tuple(connection, fc.boolean(), now).map((values) => closed(...values)),
  fc
    .tuple(connection, now)
    .map(([connection, now]) => ({ kind: 'unanswered' as const, connection, now })),
  fc.tuple(now, fc.option(now), fc.boolean()).map((values) => swept(...values)),
  fc.tuple(fc.nat(20), now).map((values) => elsewhere(...values)),
  now.map((now) => ({ kind: 'dismissed' as const, now })),
);

describe('whatever happens', () => {
  it('the state is one that makes sense, and every change of the list is counted', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state = NEVER_SEEN;
        for (const event of events) {
          if (event.kind === 'connected' && !admits(state, event.epoch)) continue;
          const before = state;
          state = reduce(before, event).state;
          const hasSocket = state.phase === 'greeting' || isThere(state);
          expect(state.connection !== null).toBe(hasSocket);
          expect(state.epoch).toBeGreaterThanOrEqual(before.epoch);
          expect(state.sequence).toBeGreaterThanOrEqual(before.sequence);
          if (isThere(state) || state.phase === 'grace') {
            expect(state.shown?.online).toBe(true);
          }
          if (state.phase === 'absent') expect(state.shown?.online ?? false).toBe(false);
          expect(dueAt(state, null) === null).toBe(state.phase === 'absent');
          const changed = state.shown !== before.shown;
          expect(state.revision).toBe(before.revision + (changed ? 1 : 0));
        }
      }),
    );
  });

  it('what a former connection does changes nothing', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), event, (events, late) => {
        const state = events.reduce((state, event) => reduce(state, event).state, NEVER_SEEN);
        if (!('connection' in late) || late.kind === 'connected') return;
        if (late.connection === state.connection) return;
        expect(reduce(state, late)).toEqual({ state, effects: [] });
      }),
    );
  });

  it('a provider of which nothing is heard is gone in the end', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state = events.reduce((state, event) => reduce(state, event).state, NEVER_SEEN);
        const heardAt = state.at;
        for (let sweeps = 0; sweeps < 3; sweeps++) {
          const due = dueAt(state, heardAt);
          if (due === null) break;
          state = reduce(state, swept(due, heardAt)).state;
        }
        expect(state.phase).toBe('absent');
      }),
    );
  });
});
