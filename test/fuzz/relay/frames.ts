/** Frames that no honest end of a session sends, each on a session of its own. */
import * as fc from 'fast-check';
import { LIMITS } from '../../../shared/src/limits.ts';
import {
  encodeFrame,
  FRAME_TYPE,
  HEADER_BYTES,
  MAX_OFFSET,
  type Frame,
} from '../../../shared/src/stream/frame.ts';
import { attack, type Attack } from '../attack.ts';
import type { Arena } from '../arena.ts';
import { END, onSession, raw, target, type Target } from './sessions.ts';

const { payloadBytes, windowBytes, windowMaxBytes } = LIMITS.relay;

type Message = Uint8Array | string;
/** Where the liar's own direction is. */
interface Position {
  readonly next: number;
}

const frame = (value: Frame) => encodeFrame(value);
const data = (offset: number, payload: Uint8Array) =>
  frame({ kind: 'data', offset, blocked: false, payload });
const filled = (length: number) => new Uint8Array(length).fill(0x61);
const ack = (offset: number, window: number) => frame({ kind: 'ack', offset, window });

/** Some bytes in order, so that a session is somewhere when it is lied to. */
const prelude = fc.array(fc.integer({ min: 1, max: 3_000 }), { maxLength: 5 });

const isTold = (arena: Arena, target: Target) =>
  target === 'honest agent' || arena.mode === 'hibernating';

/** Ends a session by itself. */
const lie = <Params>(
  kind: string,
  params: fc.Arbitrary<Params>,
  make: (params: Params, at: Position) => readonly Message[],
  weight?: number,
): Attack => attackBy(kind, params, make, weight);

/** May be in order: what is not follows. */
const oddity = <Params>(
  kind: string,
  params: fc.Arbitrary<Params>,
  make: (params: Params, at: Position) => readonly Message[],
  weight?: number,
): Attack => attackBy(kind, params, (...drawn) => [...make(...drawn), END], weight);

function attackBy<Params>(
  kind: string,
  params: fc.Arbitrary<Params>,
  make: (params: Params, at: Position) => readonly Message[],
  weight: number | undefined,
): Attack {
  const drawn = fc.record({ target, prelude, params });
  return attack(
    'relay',
    kind,
    drawn,
    (arena, { target, prelude, params }) =>
      onSession(arena, target, async (liar, other) => {
        let next = 0;
        for (const length of prelude) {
          liar.send(data(next, filled(length)));
          next += length;
        }
        liar.send(...make(params, { next }));
        // Ends that agree to be quiet about it concern nobody.
        if (!isTold(arena, target)) return ['not looked at'];
        return [await liar.closed(), ...(other ? [await other.closed()] : [])];
      }),
    weight,
  );
}

const offset = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: MAX_OFFSET }));
const bytes = fc.uint8Array({ maxLength: 300 });
const flags = fc.integer({ min: 2, max: 255 });

export const relayFrames: readonly Attack[] = [
  lie('text', fc.string({ unit: 'binary', maxLength: 100 }), (text) => [text]),
  lie('truncated header', fc.uint8Array({ maxLength: HEADER_BYTES - 1 }), (cut) => [cut]),
  lie(
    'unknown type',
    fc.record({
      type: fc.constantFrom(0, ...Array.from({ length: 247 }, (_, n) => n + 9)),
      offset,
      bytes,
    }),
    ({ type, offset, bytes }) => [raw(type, 0, offset, bytes)],
  ),
  lie(
    'unknown flags',
    fc.record({ type: fc.integer({ min: 1, max: 8 }), flags, offset, bytes }),
    ({ type, flags, offset, bytes }) => [raw(type, flags, offset, bytes)],
  ),
  oddity(
    'payload of a wrong size',
    fc.record({ type: fc.integer({ min: 2, max: 8 }), offset, bytes }),
    ({ type, offset, bytes }) => [raw(type, 0, offset, bytes)],
  ),
  lie('gap', fc.integer({ min: 1, max: 1_000_000 }), (gap, { next }) => [
    data(next + gap, filled(1)),
  ]),
  lie('repetition', fc.integer({ min: 1, max: 1_000 }), (length, { next }) => {
    const piece = data(next, filled(length));
    return [piece, piece];
  }),
  lie(
    'overlap',
    fc.record({
      first: fc.integer({ min: 2, max: 1_000 }),
      back: fc.integer({ min: 1, max: 1_000 }),
    }),
    ({ first, back }, { next }) => [
      data(next, filled(first)),
      data(Math.max(next, next + first - back), filled(10)),
    ],
  ),
  oddity(
    'bytes past the window',
    fc.record({
      frames: fc.integer({ min: windowBytes / payloadBytes, max: 70 }),
      last: fc.integer({ min: 1, max: payloadBytes }),
    }),
    ({ frames, last }, { next }) => [
      ...Array.from({ length: frames }, (_, n) =>
        data(next + n * payloadBytes, filled(payloadBytes)),
      ),
      data(next + frames * payloadBytes, filled(last)),
    ],
    3,
  ),
  lie(
    'oversize frame',
    fc.integer({ min: payloadBytes + 1, max: 2 * windowBytes }),
    (length, { next }) => [raw(FRAME_TYPE.data, 0, next, filled(length))],
    4,
  ),
  lie(
    'ack of what was never sent',
    fc.record({
      offset: fc.integer({ min: 100_000, max: MAX_OFFSET }),
      window: fc.nat(windowMaxBytes),
    }),
    ({ offset, window }) => [ack(offset, window)],
  ),
  oddity(
    'ack that goes back, or grants too much',
    fc.record({
      window: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      count: fc.integer({ min: 1, max: 50 }),
    }),
    ({ window, count }) => Array.from({ length: count }, () => ack(0, window)),
  ),
  lie('resume in the middle', fc.record({ offset, epoch: fc.nat() }), ({ offset, epoch }) => [
    frame({ kind: 'resume', offset, epoch }),
  ]),
  oddity('probe that nobody sent', offset, (offset) => [frame({ kind: 'probe', offset })]),
  lie('end twice, or bytes behind it', fc.boolean(), (isTwice, { next }) => [
    frame({ kind: 'fin', offset: next }),
    isTwice ? frame({ kind: 'fin', offset: next + 1 }) : data(next + 1, filled(1)),
  ]),
  oddity(
    'reset, with any reason',
    fc.record({
      code: fc.nat(65_535),
      reason: fc.oneof(
        fc.uint8Array({ maxLength: 123 }),
        fc.uint8Array({ minLength: 124, maxLength: 2_000 }),
      ),
    }),
    ({ code, reason }) => [
      raw(FRAME_TYPE.reset, 0, 0, Uint8Array.of(code >> 8, code & 0xff, ...reason)),
    ],
  ),
  oddity('random bytes', fc.uint8Array({ maxLength: 2_000 }), (bytes) => [bytes]),
  oddity(
    'many random frames',
    fc.array(fc.record({ type: fc.integer({ min: 0, max: 9 }), offset, bytes }), { maxLength: 40 }),
    (frames) => frames.map(({ type, offset, bytes }) => raw(type, 0, offset, bytes)),
  ),
  oddity(
    'one bit flipped',
    fc.record({
      type: fc.integer({ min: 1, max: 8 }),
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      bit: fc.nat(7),
    }),
    ({ type, at, bit }, { next }) => {
      const payload = new Uint8Array([0, 16, 0, 4, 8, 0, 0, 16, 0, 0, 0][type] ?? 0);
      const good = raw(
        type,
        0,
        type === FRAME_TYPE.data || type === FRAME_TYPE.fin ? next : 0,
        payload,
      );
      const index = Math.floor(at * good.length);
      good[index] = (good[index] ?? 0) ^ (1 << bit);
      return [good];
    },
  ),
  oddity(
    'flood of pings',
    fc.integer({ min: 500, max: 3_000 }),
    (count) => Array.from({ length: count }, (_, n) => frame({ kind: 'ping', offset: n })),
    2,
  ),
];
