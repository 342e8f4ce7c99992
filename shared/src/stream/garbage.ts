/**
 * Buffers that sockets were read into lie outside of V8's heap, each behind an object of a few bytes
 * on it. So few such objects make no young generation full: the buffers stay until there are 64 MiB
 * of them, and then V8 looks at its whole heap. Collecting the young ones by bytes costs a tenth.
 */
const MIB = 1024 * 1024;
/** Each byte is in two buffers, and what V8 waits for may be half used up by what is in use. */
const EVERY_BYTES = 4 * MIB;

export class Garbage {
  readonly #collectYoung: () => void;
  #bytes = 0;

  /** @param collectYoung collects the young generation alone */
  constructor(collectYoung: () => void) {
    this.#collectYoung = collectYoung;
  }

  /** So many bytes were read into new buffers, which are soon in use no more. */
  made(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < EVERY_BYTES) return;
    this.#bytes = 0;
    this.#collectYoung();
  }
}
