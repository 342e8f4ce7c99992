/** Bytes that came in and wait for the sink, in order. Pure. */

/** Pieces below this are put together. */
const PIECE_BYTES = 4 * 1024;

/**
 * Holds little more memory than the bytes that are in it, however they were cut: a window of
 * one-byte frames, each kept by itself, would cost a hundred times the window.
 */
export class Backlog {
  readonly #chunks: Uint8Array[] = [];
  /** The last chunk while small pieces still fit behind its first `#filled` bytes. */
  #open: Uint8Array | undefined;
  #filled = 0;

  /** Keeps a view of `bytes` when they are many, else a copy. */
  add(bytes: Uint8Array): void {
    if (bytes.length >= PIECE_BYTES) {
      this.#seal();
      this.#chunks.push(bytes);
      return;
    }
    if (this.#open && this.#filled + bytes.length > PIECE_BYTES) this.#seal();
    this.#open ??= new Uint8Array(PIECE_BYTES);
    this.#open.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** @returns the oldest chunk, undefined when nothing waits */
  take(): Uint8Array | undefined {
    if (this.#chunks.length === 0) this.#seal();
    return this.#chunks.shift();
  }

  #seal(): void {
    if (this.#open && this.#filled > 0) this.#chunks.push(this.#open.subarray(0, this.#filled));
    this.#open = undefined;
    this.#filled = 0;
  }
}
