/** How frames get from one leg of a session to the other: the part in which relay modes differ. */
import type { Close } from '@vm-on-golem/shared/closes';
import type { Side } from './pairing.ts';

export interface Passage {
  /** Takes a leg in. @returns the end of its socket that is its owner's. */
  join(side: Side): WebSocket;
  /** A leg has sent something. A violation ends the session. */
  message(socket: WebSocket, data: string | ArrayBuffer): void;
  /** A leg is gone, and so the other one goes. */
  left(socket: WebSocket, code: number, reason: string): void;
  close(close: Close): void;
  /** No leg is there. */
  readonly empty: boolean;
}
