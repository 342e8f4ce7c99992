/** Ends of sessions, and what is said when one is taken up again. */
import { once } from 'node:events';
import * as fc from 'fast-check';
import { paths } from '../../../shared/src/api.ts';
import { FRAME_TYPE, MAX_OFFSET } from '../../../shared/src/stream/frame.ts';
import { attack, Violation, type Attack } from '../attack.ts';
import { END, onSession, raw, target } from './sessions.ts';

const offset = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: MAX_OFFSET }));

export const relayEnds: readonly Attack[] = [
  attack(
    'relay',
    'close with any code',
    fc.record({
      target,
      code: fc.oneof(
        fc.constantFrom(1000, 1001, 1003, 1007, 1008, 1009, 1011, 1012),
        fc.integer({ min: 3000, max: 4999 }),
      ),
      reason: fc.string({ unit: 'binary', maxLength: 30 }),
    }),
    (arena, { target, code, reason }) =>
      onSession(arena, target, async (liar, other) => {
        liar.socket.close(code, reason);
        await liar.gone();
        // In coupled mode the other leg hears what was said, whatever it is.
        if (other && arena.mode === 'hibernating') return [await other.closed('passed on')];
        await other?.gone();
        return ['gone'];
      }),
  ),
  attack(
    'relay',
    'lies when a session is taken up again',
    fc.record({
      isBefore: fc.boolean(),
      frames: fc.array(
        fc.oneof(
          fc.record({
            type: fc.constant(FRAME_TYPE.resume),
            offset,
            bytes: fc.uint8Array({ minLength: 8, maxLength: 8 }),
          }),
          fc.record({
            type: fc.integer({ min: 1, max: 9 }),
            offset,
            bytes: fc.uint8Array({ maxLength: 20 }),
          }),
        ),
        { minLength: 1, maxLength: 12 },
      ),
    }),
    (arena, { isBefore, frames }) =>
      arena.withAgent(async (leg, session) => {
        leg.cut();
        const { peer, ...rest } = await arena.dial(
          arena.options.tenant.identity,
          paths.relay(session),
        );
        if (!peer) return Object.values(rest);
        // Early ones come before the agent's leg, the others after it has said where it is.
        if (
          !isBefore &&
          (await peer.find((message) => typeof message !== 'string' || undefined)) === undefined
        ) {
          throw new Violation(`the agent did not come again: ${await peer.closed('framing')}`);
        }
        peer.send(...frames.map(({ type, offset, bytes }) => raw(type, 0, offset, bytes)), END);
        const stopped = once(arena.options.signal, 'abort').then(() => 'left open');
        return [await Promise.race([stopped, peer.closed('framing')])];
      }),
  ),
];
