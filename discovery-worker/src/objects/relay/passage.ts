/** How frames get from one leg of a session to the other: the part in which relay modes differ. */
import type { Close } from '@vm-on-golem/shared/closes';
import type { Side } from './pairing.ts';

export interface Passage {
  /**
   * Takes a leg in, for the first time or again.
   * @returns the end of its socket that is its owner's
   */
  join(side: Side, again: boolean): WebSocket;
  /** A leg has sent something. A violation ends the session. */
  message(socket: WebSocket, data: string | ArrayBuffer): void;
  /**
   * A leg is gone, and so the other one goes.
   * @returns whether it was lost, rather than closed by somebody: then both may come again
   */
  left(socket: WebSocket, code: number, reason: string): boolean;
  /** Both legs have to come again. */
  part(): void;
  close(close: Close): void;
  /** No leg is there. */
  readonly empty: boolean;
  /** Both are. */
  readonly complete: boolean;
}
