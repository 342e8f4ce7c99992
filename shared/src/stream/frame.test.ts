import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeFrame,
  encodeFrame,
  FRAME_TYPE,
  FrameError,
  HEADER_BYTES,
  MAX_OFFSET,
  readHeader,
  type Frame,
} from './frame.ts';

const offset = fc.oneof(
  fc.nat(),
  fc.maxSafeNat().map((n) => n % (MAX_OFFSET + 1)),
);
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const reason = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter((text) => new TextEncoder().encode(text).length <= 123);
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant('data' as const),
    offset,
    blocked: fc.boolean(),
    payload: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  }),
  fc.record({ kind: fc.constant('ack' as const), offset, window: u32 }),
  fc.record({ kind: fc.constantFrom('ping', 'pong', 'fin', 'probe'), offset }),
  fc.record({ kind: fc.constant('resume' as const), offset, epoch: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant('reset' as const),
    offset,
    code: fc.integer({ min: 0, max: 65535 }),
    reason,
  }),
);

test('every frame is decoded as it was encoded', () => {
  fc.assert(
    fc.property(frame, (sent) => {
      const received = decodeFrame(encodeFrame(sent));
      expect(
        received.kind === 'data' ? { ...received, payload: [...received.payload] } : received,
      ).toEqual(sent.kind === 'data' ? { ...sent, payload: [...sent.payload] } : sent);
    }),
  );
});

test('a relay reads the header alone, and the same as the receiver', () => {
  fc.assert(
    fc.property(frame, (sent) => {
      const header = readHeader(encodeFrame(sent));
      expect(header).toMatchObject({ kind: sent.kind, offset: sent.offset });
      expect(header.payloadBytes).toBe(encodeFrame(sent).length - HEADER_BYTES);
    }),
  );
});

test('the bytes on the wire are these', () => {
  const hex = (sent: Frame) => Buffer.from(encodeFrame(sent)).toString('hex');
  const payload = new Uint8Array([0xaa, 0xbb]);
  expect(hex({ kind: 'data', offset: 0x0102_0304_0506, blocked: true, payload })).toBe(
    '0101010203040506aabb',
  );
  expect(hex({ kind: 'ack', offset: 1, window: 0x0010_0000 })).toBe('020000000000000100100000');
  expect(hex({ kind: 'fin', offset: MAX_OFFSET })).toBe('0600ffffffffffff');
  expect(hex({ kind: 'resume', offset: 0, epoch: 7 })).toBe('05000000000000000000000000000007');
  expect(hex({ kind: 'reset', offset: 0, code: 3, reason: 'no' })).toBe('080000000000000000036e6f');
});

test('whatever comes in is a frame, or an error of the protocol', () => {
  const header = fc
    .tuple(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 3 }))
    .map(([type, flags]) => new Uint8Array([type, flags, 0, 0, 0, 0, 0, 1]));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(header, fc.uint8Array({ maxLength: 20 }))
      .map(([head, rest]) => Uint8Array.from([...head, ...rest])),
  );
  fc.assert(
    fc.property(bytes, (received) => {
      try {
        expect(Object.keys(FRAME_TYPE)).toContain(decodeFrame(received).kind);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }),
  );
});

describe('refused is', () => {
  const head = (type: number, flags = 0) => [type, flags, 0, 0, 0, 0, 0, 0];
  test.each<[string, number[]]>([
    ['nothing', []],
    ['a header that is cut', head(FRAME_TYPE.fin).slice(0, 7)],
    ['an unknown type', head(9)],
    ['type zero', head(0)],
    ['an unknown flag', [...head(FRAME_TYPE.data, 2), 1]],
    ['a flag where there is none', head(FRAME_TYPE.fin, 1)],
    ['data without bytes', head(FRAME_TYPE.data)],
    ['an ack without window', head(FRAME_TYPE.ack)],
    ['an ack that goes on', [...head(FRAME_TYPE.ack), 0, 0, 0, 0, 0]],
    ['a ping with bytes', [...head(FRAME_TYPE.ping), 0]],
    ['half a resume', [...head(FRAME_TYPE.resume), 0, 0, 0, 0]],
    ['a resume out of range', [...head(FRAME_TYPE.resume), ...Array<number>(8).fill(255)]],
    ['a reset without code', [...head(FRAME_TYPE.reset), 0]],
    ['a reason that is too long', [...head(FRAME_TYPE.reset), ...Array<number>(126).fill(65)]],
    ['data past 64 KiB', [...head(FRAME_TYPE.data), ...Array<number>(64 * 1024 + 1).fill(0)]],
  ])('%s', (_, bytes) => {
    expect(() => decodeFrame(Uint8Array.from(bytes))).toThrow(FrameError);
  });

  test.each<[string, Frame]>([
    ['an offset that does not fit', { kind: 'fin', offset: MAX_OFFSET + 1 }],
    ['a negative offset', { kind: 'fin', offset: -1 }],
    ['half an offset', { kind: 'fin', offset: 0.5 }],
    ['a window that does not fit', { kind: 'ack', offset: 0, window: 2 ** 32 }],
    ['an empty payload', { kind: 'data', offset: 0, blocked: false, payload: new Uint8Array() }],
  ])('to send %s', (_, sent) => {
    expect(() => encodeFrame(sent)).toThrow(FrameError);
  });
});

test('a reason is cut between two characters', () => {
  const sent = decodeFrame(
    encodeFrame({ kind: 'reset', offset: 0, code: 1, reason: '€'.repeat(50) }),
  );
  expect(sent).toMatchObject({ reason: '€'.repeat(41) });
});
