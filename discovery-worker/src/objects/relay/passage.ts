/**
 * How frames get from one leg of a session to the other: the part in which relay modes differ.
 * A passage knows legs and nothing of who may come; the object asks `pairing.ts` before.
 */
import type { Close } from '@vm-on-golem/shared/closes';
import type { Side } from './pairing.ts';

export interface Passage {
  /**
   * Takes a leg in, for the first time or again.
   * @returns the end of its socket that is its owner's
   */
  join(side: Side, again: boolean): WebSocket;
  has(side: Side): boolean;
  /** Both legs are there. */
  readonly complete: boolean;
  /** Payload that was forwarded since both legs met, in bytes; 0 where nobody can count it. */
  readonly carried: number;
  /** How often legs are to be looked after that may have gone without a word. */
  readonly inspectionMillis: number;
  /**
   * Both legs have to come again. What is to be kept has to be in the storage before: in coupled
   * mode the object itself goes, and is made anew by whoever comes next.
   */
  part(): void;
  /** As `part`, but for good. */
  close(close: Close): void;
}
