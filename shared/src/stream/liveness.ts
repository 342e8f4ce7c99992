/**
 * Whether a session's line still carries anything. Sockets that are black-holed stay open for many
 * minutes: only silence tells. Pure; times in milliseconds of a clock that never goes back.
 */
import { LIMITS } from '../limits.ts';

const { pingSeconds, silenceSeconds } = LIMITS.control;
const IDLE = { pingMillis: pingSeconds * 1000, lostMillis: silenceSeconds * 1000 };
const BUSY = {
  pingMillis: LIMITS.relay.busyPingSeconds * 1000,
  lostMillis: LIMITS.relay.busyLostSeconds * 1000,
};

export interface Verdict {
  /** Nothing has come for too long, on the leg to the relay or from the other end. */
  readonly lost?: 'leg' | 'peer';
  /** The relay is to answer a ping of the WebSocket protocol, which wakes nobody. */
  readonly pingLeg: boolean;
  /** The other end is to answer a PING frame: only while it owes us an acknowledgement. */
  readonly pingPeer: boolean;
  /** When to look again. */
  readonly inMillis: number;
}

export class Liveness {
  #legHeardAt: number;
  #peerHeardAt: number;
  /** Since when the other end owes us an acknowledgement. */
  #awaitingSince: number | undefined;

  constructor(now: number) {
    this.#legHeardAt = now;
    this.#peerHeardAt = now;
  }

  /** A new socket. */
  restart(now: number): void {
    this.#legHeardAt = now;
    this.#peerHeardAt = now;
  }

  /** The relay's end of the socket is there. */
  legHeard(now: number): void {
    this.#legHeardAt = now;
  }

  /** A frame came from the other end. */
  peerHeard(now: number): void {
    this.#legHeardAt = now;
    this.#peerHeardAt = now;
  }

  /** @returns whether that is news, so that `check` is due sooner than it last said */
  awaits(isOwed: boolean, now: number): boolean {
    if (isOwed === (this.#awaitingSince !== undefined)) return false;
    this.#awaitingSince = isOwed ? now : undefined;
    return isOwed;
  }

  check(now: number): Verdict {
    const owedSince = this.#awaitingSince;
    const isBusy = owedSince !== undefined || now - this.#peerHeardAt < 2 * BUSY.lostMillis;
    const { pingMillis, lostMillis } = isBusy ? BUSY : IDLE;
    // Who was idle is given the whole time from when it was asked for something.
    const legQuiet = now - Math.max(this.#legHeardAt, owedSince ?? 0);
    const peerQuiet = owedSince === undefined ? 0 : now - Math.max(this.#peerHeardAt, owedSince);
    const pingLeg = legQuiet >= pingMillis;
    const pingPeer = peerQuiet >= BUSY.pingMillis;
    const inMillis = Math.max(1, pingMillis - (legQuiet % pingMillis));
    if (legQuiet >= lostMillis) return { lost: 'leg', pingLeg, pingPeer, inMillis };
    if (peerQuiet >= BUSY.lostMillis) return { lost: 'peer', pingLeg, pingPeer, inMillis };
    return { pingLeg, pingPeer, inMillis };
  }
}
