/** Why a WebSocket of ours was closed: codes of the private range with a reason people can read. */
import { GolemError } from './errors.ts';

export const CLOSE = {
  /** The hub goes away; connect again. */
  drain: { code: 4000, reason: 'this hub is draining' },
  /** A newer connection of the same party took this one's place. */
  displaced: { code: 4001, reason: 'a newer connection with this key took over' },
  /** The peer broke the protocol. The reason says how. */
  protocol: { code: 4002, reason: 'protocol error' },
  /** The other party of a relay session is gone. */
  peerGone: { code: 4003, reason: 'the other end is gone' },
  /** More bytes than the receiver had granted. */
  overWindow: { code: 4004, reason: 'more bytes than the window allowed' },
  /** The other party never came. */
  unpaired: { code: 4005, reason: 'the other end did not come in time' },
  /** No sign of life for too long. */
  silent: { code: 4006, reason: 'no sign of life' },
  /** The agent could not open the guest's SSH port, or lost it. */
  guestGone: { code: 4007, reason: 'the connection to the guest ended' },
  /** The program is stopping. */
  shutdown: { code: 4008, reason: 'shutting down' },
  /** The other party of a relay session lost its connection and may come back; so may this one. */
  parted: { code: 4009, reason: 'the other end lost its connection' },
  /** The session carried as much, or lasted as long, as this relay lets one. */
  quota: { code: 4010, reason: 'the session has used up its quota' },
  /** The provider lets this requestor into the VM no longer. */
  revoked: { code: 4011, reason: 'the VM is not shared with this key any more' },
} as const;

/** As much as RFC 6455 leaves for a reason; a socket refuses to close with a longer one. */
const MAX_REASON_BYTES = 123;

/** @returns the first part of `text` that fits, whole characters only, without control characters */
export function closeReason(text: string): string {
  const bytes = new Uint8Array(MAX_REASON_BYTES);
  const { written } = new TextEncoder().encodeInto(text.replaceAll(/\p{Cc}/gu, ' '), bytes);
  return new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(
    bytes.subarray(0, written),
  );
}

export type Close = (typeof CLOSE)[keyof typeof CLOSE];

/** What a session is aborted with on this side, where its other end should know why. */
export class Ending extends GolemError {
  readonly close: Close;

  /** @param message the reason that is given for the close */
  constructor(close: Close, message: string = close.reason) {
    super('relay_failed', message);
    this.close = close;
  }
}
