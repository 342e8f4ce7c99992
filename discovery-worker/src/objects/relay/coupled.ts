/**
 * The mode for machines on which an object that stays in memory costs nothing: the two ends of one
 * `WebSocketPair` become the two legs. The runtime moves the bytes, with its own backpressure and no
 * code of ours in between: nothing is counted, and nobody is told when a leg is gone.
 */
import { CLOSE, type Close } from '@vm-on-golem/shared/closes';
import { closeSocket } from '../close.ts';
import { otherSide, type Side } from './pairing.ts';
import type { Passage } from './passage.ts';

/** The message of the error by which a request fails whose object has gone to part its legs. */
const PARTED = 'the legs of this session were parted';

export const isParted = (error: unknown): boolean =>
  error instanceof Error && error.message.includes(PARTED);

export class CoupledPassage implements Passage {
  readonly #abort: (reason: string) => void;
  readonly carried = 0;
  /** Without sockets the object leaves memory in seconds; looking whether it has costs nothing. */
  readonly inspectionMillis = 10 * 60 * 1000;
  /** The end of the party that has not come yet. */
  #kept: { readonly side: Side; readonly end: WebSocket } | undefined;
  #isComplete = false;

  /** @param abort ends the object, and with it all sockets that it has handed out */
  constructor(abort: (reason: string) => void) {
    this.#abort = abort;
  }

  get complete(): boolean {
    return this.#isComplete;
  }

  has(side: Side): boolean {
    return this.#isComplete || this.#kept?.side === otherSide(side);
  }

  join(side: Side): WebSocket {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept?.side === side) {
      this.#isComplete = true;
      return kept.end;
    }
    if (kept) end(kept.end, CLOSE.displaced);
    const { 0: mine, 1: theirs } = new WebSocketPair();
    this.#kept = { side: otherSide(side), end: theirs };
    return mine;
  }

  part(): void {
    this.close(CLOSE.parted);
  }

  close(close: Close): void {
    if (this.#kept) end(this.#kept.end, close);
    this.#kept = undefined;
    // Ends that were handed out are not ours to close any more.
    if (this.#isComplete) this.#abort(PARTED);
  }
}

/** Closes the leg at the other end of a pair whose near end nobody has. */
function end(socket: WebSocket, { code, reason }: Close): void {
  socket.accept();
  closeSocket(socket, code, reason);
}
