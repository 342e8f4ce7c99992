/**
 * What a relay lets through: it counts, by the headers of frames alone. Pure.
 *
 * A socket's `send` queues without bound, so the window is what bounds the relay's memory: a byte
 * passes once, in order, and only into window that the receiver has granted. Two ends that agree to
 * lie could grant without end and read nothing: so a receiver has to echo what only a reader knows.
 */
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { decodeFrame, encodeFrame, FrameError, readHeader } from '@vm-on-golem/shared/stream/frame';
import { otherSide, type Side } from './pairing.ts';

/** The direction that one leg sends. */
export interface Flow {
  /** Offset of the next byte. Everything before was forwarded. */
  readonly next: number;
  readonly acknowledged: number;
  /** The receiver has granted everything before. Never falls. */
  readonly limit: number;
  readonly finished: boolean;
  /** Frames that take no window, forwarded since the receiver was last heard. */
  readonly unheard: number;
  /** Payload that was forwarded since both legs met. */
  readonly carried: number;
  /** What the receiver has to echo, oldest first. */
  readonly probes: readonly Probe[];
  /** Where the next probe is due. */
  readonly probeAt: number;
  /** Whether its leg may send, having said up to where it has received, if it came again. */
  readonly isUp: boolean;
}

interface Probe {
  /** Nobody can guess it. */
  readonly token: number;
  /** Offset before which everything was read when it comes back. */
  readonly offset: number;
}

export type Flows = Readonly<Record<Side, Flow>>;

export const NEW_FLOW: Flow = {
  next: 0,
  acknowledged: 0,
  limit: LIMITS.relay.windowBytes,
  finished: false,
  unheard: 0,
  carried: 0,
  probes: [],
  probeAt: LIMITS.relay.probeBytes,
  isUp: true,
};

/** Of a leg that takes a session up again. Nothing passes until the other end says from where. */
export const RESUMING_FLOW: Flow = { ...NEW_FLOW, limit: 0, isUp: false };

/**
 * Frames other than DATA that may pass to a leg that says nothing. An ACK that moves on is not
 * counted: the bytes that it acknowledges were.
 */
export const MAX_UNHEARD = 1_024;

/** A pass through the gate: what there is now, and what goes to the other leg, in order. */
export interface Passed {
  readonly flows: Flows;
  readonly forward: readonly Uint8Array[];
}

export class GateViolation extends Error {
  override readonly name = 'GateViolation';
  readonly close: Close;

  constructor(close: Close, message: string) {
    super(message);
    this.close = close;
  }
}

/**
 * @param token makes a number that nobody can guess, below 2 ** 48
 * @throws {GateViolation} when `frame` must not pass, and says how to close the session.
 */
export function pass(flows: Flows, from: Side, frame: Uint8Array, token: () => number): Passed {
  const there = flows[otherSide(from)];
  // Whoever speaks reads as well: what it was sent is no longer unheard.
  const heard = there.unheard === 0 ? flows : replace(flows, otherSide(from), { unheard: 0 });
  try {
    return step(heard, from, frame, token);
  } catch (error) {
    if (error instanceof FrameError) throw new GateViolation(CLOSE.protocol, error.message);
    throw error;
  }
}

function step(flows: Flows, from: Side, bytes: Uint8Array, token: () => number): Passed {
  const flow = flows[from];
  const { kind, offset, payloadBytes } = readHeader(bytes);
  if (kind !== 'resume' && !flow.isUp) throw violation(`${kind} before the session was taken up`);
  switch (kind) {
    case 'data':
      return data(flows, from, bytes, { offset, payloadBytes, token });
    case 'fin':
      expect(flow, offset);
      return forwarded(replace(flows, from, { next: offset + 1, finished: true }), bytes);
    case 'ack':
      return forwarded(acknowledge(flows, from, bytes), bytes);
    case 'resume':
      return forwarded(resume(flows, from, offset), bytes);
    case 'probe':
      return { flows: echo(flows, from, offset), forward: [] };
    default:
      return forwarded(unheard(flows, from), bytes);
  }
}

const forwarded = (flows: Flows, ...forward: readonly Uint8Array[]): Passed => ({ flows, forward });

function data(
  flows: Flows,
  from: Side,
  bytes: Uint8Array,
  { offset, payloadBytes, token }: { offset: number; payloadBytes: number; token: () => number },
): Passed {
  const flow = flows[from];
  expect(flow, offset);
  const next = withinWindow(flow, offset + payloadBytes);
  const carried = flow.carried + payloadBytes;
  const [oldest] = flow.probes;
  if (oldest && next - oldest.offset > LIMITS.relay.unprobedBytes) {
    throw new GateViolation(CLOSE.overWindow, 'bytes are acknowledged and not read');
  }
  if (next < flow.probeAt) return forwarded(replace(flows, from, { next, carried }), bytes);
  const probe = { token: token(), offset: next };
  const probes = [...flow.probes, probe];
  const probeAt = next + LIMITS.relay.probeBytes;
  const after = replace(flows, from, { next, carried, probes, probeAt });
  return forwarded(after, bytes, encodeFrame({ kind: 'probe', offset: probe.token }));
}

/** The receiver of the other direction has read everything up to the probe. */
function echo(flows: Flows, from: Side, token: number): Flows {
  const [oldest, ...probes] = flows[otherSide(from)].probes;
  if (oldest?.token !== token) throw violation('an echo of what nobody asked');
  return replace(flows, otherSide(from), { probes });
}

/**
 * The other direction goes on from `offset`. Which window was granted is not known any more: it
 * was not more than any receiver may grant behind what it has received.
 */
function resume(flows: Flows, from: Side, offset: number): Flows {
  if (flows[from].isUp) throw violation('resume in the middle of a session');
  const { windowMaxBytes } = LIMITS.relay;
  return replace(replace(flows, from, { isUp: true }), otherSide(from), {
    next: offset,
    acknowledged: Math.max(0, offset - windowMaxBytes),
    limit: offset + windowMaxBytes,
    probeAt: offset + LIMITS.relay.probeBytes,
  });
}

function acknowledge(flows: Flows, from: Side, bytes: Uint8Array): Flows {
  const frame = decodeFrame(bytes);
  if (frame.kind !== 'ack') throw new TypeError('not an ack');
  const { offset, window } = frame;
  const flow = flows[otherSide(from)];
  if (offset > flow.next) throw violation('acknowledged bytes that were never sent');
  if (offset < flow.acknowledged) throw violation('acknowledgement goes back');
  if (window > LIMITS.relay.windowMaxBytes) throw violation('window is too large');
  const limit = Math.max(flow.limit, offset + window);
  if (offset === flow.acknowledged && limit === flow.limit) return unheard(flows, from);
  return replace(flows, otherSide(from), { acknowledged: offset, limit });
}

function withinWindow({ limit }: Flow, next: number): number {
  if (next <= limit) return next;
  throw new GateViolation(CLOSE.overWindow, `${next - limit} bytes past the window`);
}

function expect(flow: Flow, offset: number): void {
  if (flow.finished) throw violation('bytes after the end');
  if (offset !== flow.next) throw violation(`bytes at ${offset}, expected ${flow.next}`);
}

function unheard(flows: Flows, from: Side): Flows {
  const count = flows[from].unheard + 1;
  if (count > MAX_UNHEARD) throw violation('too many frames that nobody answers');
  return replace(flows, from, { unheard: count });
}

function replace(flows: Flows, side: Side, change: Partial<Flow>): Flows {
  return { ...flows, [side]: { ...flows[side], ...change } };
}

function violation(message: string): GateViolation {
  return new GateViolation(CLOSE.protocol, message);
}
