/** Sessions that a hostile party has an end of. */
import * as fc from 'fast-check';
import { HEADER_BYTES } from '../../../shared/src/stream/frame.ts';
import type { Arena } from '../arena.ts';
import type { Answer } from '../attack.ts';
import type { Peer } from '../peer.ts';

/**
 * Who lies to whom: a requestor to the honest agent, or one of a pair that is all ours to the relay
 * in between, which is the one that looks in hibernating mode.
 */
const TARGETS = ['honest agent', 'from requestor', 'from agent'] as const;
export type Target = (typeof TARGETS)[number];

export const target = fc.constantFrom(...TARGETS);

/** Ends any session: it is neither a frame nor the beginning of one. */
export const END = Uint8Array.of(255);

/** Byte for byte, whatever is wrong with it. */
export function raw(type: number, flags: number, offset: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint8(1, flags);
  view.setUint16(2, Math.floor(offset / 2 ** 32));
  view.setUint32(4, offset >>> 0);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export function onSession(
  arena: Arena,
  target: Target,
  use: (liar: Peer, other?: Peer) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  if (target === 'honest agent') return arena.withAgent((leg) => use(leg));
  return arena.withPair(({ agentLeg, requestorLeg }) =>
    target === 'from agent' ? use(agentLeg, requestorLeg) : use(requestorLeg, agentLeg),
  );
}
