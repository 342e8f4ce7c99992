/**
 * Memory for frames that are on their way out. Bytes outside the heap count for the garbage
 * collector: a fresh buffer for every frame makes it look at the whole heap many times a second,
 * which took more time than everything else.
 */
import { HEADER_BYTES } from './frame.ts';
import { LIMITS } from '../limits.ts';

/** Frames with less payload are made anew: they are worth no buffer of full size. */
const SMALL_BYTES = 4 * 1024;

export class FramePool {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  /** @returns a buffer for a frame of any size, or undefined when it is better made anew */
  take(payloadBytes: number): Uint8Array<ArrayBuffer> | undefined {
    if (payloadBytes < SMALL_BYTES) return undefined;
    return this.#free.pop() ?? new Uint8Array(HEADER_BYTES + LIMITS.relay.payloadBytes);
  }

  /** Nobody reads the buffer any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    this.#free.push(buffer);
  }

  /** Lets go of what is not in use. */
  trim(): void {
    this.#free.length = 0;
  }
}
