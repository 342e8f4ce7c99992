/**
 * Frames of the relay stream. One binary WebSocket message is one frame:
 * `type u8 · flags u8 · offset u48 · payload`, integers in network order.
 *
 * Offsets count the bytes of one direction from the start of the session, not of the socket, so
 * that a session can go on over another socket.
 */

export const FRAME_TYPE = {
  data: 1,
  ack: 2,
  ping: 3,
  pong: 4,
  resume: 5,
  fin: 6,
  probe: 7,
  reset: 8,
} as const;
export type FrameKind = keyof typeof FRAME_TYPE;

export const HEADER_BYTES = 8;
/** 256 TiB: a session ends before it gets there. */
export const MAX_OFFSET = 2 ** 48 - 1;
const FLAG_BLOCKED = 1;
/** As much as a WebSocket close reason holds. */
const MAX_REASON_BYTES = 123;

export type Frame =
  /** Bytes from `offset` on. `blocked`: the sender has more and waits for window. */
  | {
      readonly kind: 'data';
      readonly offset: number;
      readonly blocked: boolean;
      readonly payload: Uint8Array;
    }
  /** The sink took everything before `offset`; `window` bytes from there on are granted. */
  | { readonly kind: 'ack'; readonly offset: number; readonly window: number }
  /** End to end, while something is unacknowledged. `offset` is an opaque token. */
  | { readonly kind: 'ping' | 'pong'; readonly offset: number }
  /** First frame on a socket that takes a session up again: delivered so far, and the epoch. */
  | { readonly kind: 'resume'; readonly offset: number; readonly epoch: number }
  /** No bytes follow. Consumes one offset, so that it is acknowledged like a byte. */
  | { readonly kind: 'fin'; readonly offset: number }
  /** From the relay, echoed by the receiver: proof that frames are really read. */
  | { readonly kind: 'probe'; readonly offset: number }
  /** Ends the session at once. */
  | {
      readonly kind: 'reset';
      readonly offset: number;
      readonly code: number;
      readonly reason: string;
    };

/** The frame is malformed; whoever sent it broke the protocol. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const KINDS = new Map<number, FrameKind>(
  Object.entries(FRAME_TYPE).map(([kind, type]) => [type, kind as FrameKind]),
);

/** Payload sizes that each kind may have, in bytes. */
const PAYLOAD_BYTES: Record<FrameKind, readonly [min: number, max: number]> = {
  data: [1, 64 * 1024],
  ack: [4, 4],
  ping: [0, 0],
  pong: [0, 0],
  resume: [8, 8],
  fin: [0, 0],
  probe: [0, 0],
  reset: [2, 2 + MAX_REASON_BYTES],
};

export interface FrameHeader {
  readonly kind: FrameKind;
  readonly blocked: boolean;
  readonly offset: number;
  readonly payloadBytes: number;
}

/** Reads and checks what a relay needs to know of a frame, without touching its payload. */
export function readHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < HEADER_BYTES)
    throw new FrameError(`a frame of ${bytes.length} bytes has no header`);
  const view = viewOf(bytes);
  const kind = KINDS.get(view.getUint8(0));
  if (!kind) throw new FrameError(`unknown frame type ${view.getUint8(0)}`);
  const flags = view.getUint8(1);
  if (flags !== 0 && !(kind === 'data' && flags === FLAG_BLOCKED)) {
    throw new FrameError(`unknown flags ${flags} on ${kind}`);
  }
  const payloadBytes = bytes.length - HEADER_BYTES;
  const [min, max] = PAYLOAD_BYTES[kind];
  if (payloadBytes < min || payloadBytes > max) {
    throw new FrameError(`${kind} with a payload of ${payloadBytes} bytes`);
  }
  return { kind, blocked: flags === FLAG_BLOCKED, offset: readU48(view, 2), payloadBytes };
}

/** @throws {FrameError}. The payload of `data` is a view of `bytes`, not a copy. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const { kind, blocked, offset } = readHeader(bytes);
  const view = viewOf(bytes);
  switch (kind) {
    case 'data':
      return { kind, offset, blocked, payload: bytes.subarray(HEADER_BYTES) };
    case 'ack':
      return { kind, offset, window: view.getUint32(HEADER_BYTES) };
    case 'resume': {
      const epoch = Number(view.getBigUint64(HEADER_BYTES));
      if (!Number.isSafeInteger(epoch)) throw new FrameError('the epoch is out of range');
      return { kind, offset, epoch };
    }
    case 'reset':
      return { kind, offset, code: view.getUint16(HEADER_BYTES), reason: decodeReason(bytes) };
    default:
      return { kind, offset };
  }
}

/** @param into where it is written, if it is large enough for it; a new buffer otherwise */
export function encodeFrame(frame: Frame, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  inRange('offset', frame.offset, MAX_OFFSET);
  const payload = payloadOf(frame);
  const length = HEADER_BYTES + payload.length;
  const bytes = into && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint8(0, FRAME_TYPE[frame.kind]);
  view.setUint8(1, frame.kind === 'data' && frame.blocked ? FLAG_BLOCKED : 0);
  view.setUint16(2, Math.floor(frame.offset / 2 ** 32));
  view.setUint32(4, frame.offset >>> 0);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function payloadOf(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'data':
      if (frame.payload.length < 1 || frame.payload.length > PAYLOAD_BYTES.data[1]) {
        throw new FrameError(
          `a payload of ${frame.payload.length} bytes does not fit into a frame`,
        );
      }
      return frame.payload;
    case 'ack': {
      const payload = new Uint8Array(4);
      viewOf(payload).setUint32(0, inRange('window', frame.window, 2 ** 32 - 1));
      return payload;
    }
    case 'resume': {
      const payload = new Uint8Array(8);
      viewOf(payload).setBigUint64(
        0,
        BigInt(inRange('epoch', frame.epoch, Number.MAX_SAFE_INTEGER)),
      );
      return payload;
    }
    case 'reset': {
      const payload = new Uint8Array(2 + MAX_REASON_BYTES);
      viewOf(payload).setUint16(0, inRange('code', frame.code, 2 ** 16 - 1));
      // Never cuts a character in two.
      const { written } = new TextEncoder().encodeInto(frame.reason, payload.subarray(2));
      return payload.subarray(0, 2 + written);
    }
    default:
      return new Uint8Array(0);
  }
}

function inRange(what: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new FrameError(`${what} ${value} is out of range`);
  return value;
}

function decodeReason(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(
    bytes.subarray(HEADER_BYTES + 2),
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readU48(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}
