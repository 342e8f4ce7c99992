/** Bytes that were sent and may have to be sent again. Pure. */

/** What an idle session holds: a terminal's worth of keystrokes. */
const SMALLEST_BYTES = 4 * 1024;

/**
 * The bytes of a stream from `start` to `end`, however they were cut: a ring that grows as it fills,
 * and shrinks when it is told to.
 */
export class Ring {
  readonly #capacity: number;
  #bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** @param capacity bytes that it holds at most */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Offset of the oldest byte that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Offset of the byte that comes next. */
  get end(): number {
    return this.#end;
  }

  /** Memory in use, in bytes. */
  get allocated(): number {
    return this.#bytes.length;
  }

  /** @throws {RangeError} for more than it may hold */
  append(bytes: Uint8Array): void {
    const held = this.#end - this.#start;
    if (held + bytes.length > this.#capacity) throw new RangeError('the ring is full');
    if (held + bytes.length > this.#bytes.length) this.#grow(held + bytes.length);
    let rest = bytes;
    while (rest.length > 0) {
      const at = this.#end % this.#bytes.length;
      const piece = rest.subarray(0, this.#bytes.length - at);
      this.#bytes.set(piece, at);
      this.#end += piece.length;
      rest = rest.subarray(piece.length);
    }
  }

  /** Lets go of everything before `offset`. @throws {RangeError} for an offset that is not in it */
  release(offset: number): void {
    this.#check(offset);
    this.#start = offset;
  }

  /** Lets go of the memory, if nothing is kept. */
  trim(): void {
    if (this.#start === this.#end) this.#bytes = new Uint8Array(0);
  }

  /** Copies of the bytes from `offset` on, in pieces of `pieceBytes` at most. */
  *from(offset: number, pieceBytes: number): Generator<Uint8Array> {
    this.#check(offset);
    for (let at = offset; at < this.#end;) {
      const place = at % this.#bytes.length;
      const length = Math.min(pieceBytes, this.#end - at, this.#bytes.length - place);
      yield this.#bytes.slice(place, place + length);
      at += length;
    }
  }

  #grow(needed: number): void {
    let length = Math.max(SMALLEST_BYTES, this.#bytes.length);
    while (length < needed) length *= 2;
    const grown = new Uint8Array(Math.min(length, this.#capacity));
    for (let at = this.#start; at < this.#end;) {
      const from = at % this.#bytes.length;
      const to = at % grown.length;
      const run = Math.min(this.#end - at, this.#bytes.length - from, grown.length - to);
      grown.set(this.#bytes.subarray(from, from + run), to);
      at += run;
    }
    this.#bytes = grown;
  }

  #check(offset: number): void {
    if (offset < this.#start || offset > this.#end) {
      throw new RangeError(`${offset} is not between ${this.#start} and ${this.#end}`);
    }
  }
}
